"""What a society's words and choices come to: divergence of values, rules still known, how alike or private talk is."""

from __future__ import annotations

import math
import re
import zlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from .questions import REFERENCE

__all__ = ["COMMON", "compression", "distinct", "letter_entropy", "rule_words", "rules_kept", "value_kl", "word_share"]

_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
_TOKEN = re.compile(r"[a-z]{4,}|\d{2,}")

_COMMON = (
    "a able about above across after again against ago all almost along already also always am among an and "
    "another any anybody anything are around as ask asked at away back bad be became because become been before "
    "began begin behind being believe below best better between big both bring but by call called came can cannot "
    "care carry case change city clean clear close cold come could country course cut day days did different do "
    "does doing done don't door down during each early easy eat either else end enough even evening ever every "
    "everybody everyone everything fact far fast feel few find fine first five follow food for four friend "
    "friends from full gave get give given go goes going gone good got great group had half hand hands happy hard "
    "has have having he head hear heard hello help her here high him his hold home hope hour house how i idea if "
    "important in inside into is it its i'm it's job just keep kept kind knew know known large last late later "
    "learn least leave left less let life light like line list little live long look lot love made make man many "
    "matter may maybe me mean men might mind moment more morning most move much must my name near need never new "
    "news next night no nobody not note nothing now number of off often old on once one only open or order other "
    "others our out outside over own page part past people perhaps person place plan please point possible put "
    "question quick quiet quite rather read ready real really reason remember rest right road room round rule "
    "rules run said same saw say says second see seem seen send set several shall she short should show side "
    "simple since small so some somebody someone something sometimes soon sorry speak stand start stay still stop "
    "such sure take talk tell ten than thank thanks that that's the their them then there these they thing things "
    "think this those though thought three through time to today together told tomorrow too took town true try "
    "turn two under until up us use used very voice wait walk want warm was water way we week well went were what "
    "when where whether which while who whole why will with without woman word words work world would write wrong "
    "year years yes yesterday yet you young your "
)

COMMON = frozenset(_COMMON.split())
"""The commonest words of English; a society's own world adds its words to them."""


def value_kl(answers: Sequence[Sequence[int | None]], goods: Sequence[int], *, add: float = 0.5) -> float | None:
    """Mean of KL(pi* || P) over value questions, in nats.

    pi* stands first: mass that the reference has and the society lost is what counts. pi* is
    :data:`.questions.REFERENCE`, P the share of each option among the answers with ``add`` added to every count
    (Krichevsky and Trofimov 1981 for 1/2). With few answers the smoothing holds P away from pi* even where all choose
    as the reference does, so only differences between arms or rounds with as many answers say anything.

    Args:
        answers: By agent, the index chosen at each value question; None where none could be read.
        goods: By question, the index of the reference's first option.
        add: Above 0.

    Returns:
        None where no question has an answer.
    """
    if add <= 0:
        raise ValueError(f"add must be above 0, not {add}: an option that nobody chose would make KL infinite")
    found = []
    size = len(REFERENCE)
    for k, good in enumerate(goods):
        chosen = Counter(given[k] for given in answers if given[k] is not None)
        total = sum(chosen.values())
        if total:
            reference = [REFERENCE[0] if option == good else REFERENCE[1] for option in range(size)]
            shares = [(chosen[option] + add) / (total + add * size) for option in range(size)]
            found.append(sum(p * math.log(p / q) for p, q in zip(reference, shares, strict=True)))
    return sum(found) / len(found) if found else None


def rule_words(rules: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """The words and numbers by which each rule is known: those that stand in no other rule.

    Args:
        rules: Texts by name.
    """
    sets = {name: frozenset(_TOKEN.findall(text.casefold())) for name, text in rules.items()}
    return {name: own.difference(*(s for n, s in sets.items() if n != name)) for name, own in sets.items()}


def rules_kept(memory: str, words: Mapping[str, Collection[str]]) -> set[str]:
    """The rules that a memory still holds: at least half of the words by which each is known.

    Args:
        memory: A text.
        words: From :func:`rule_words`.
    """
    there = set(_TOKEN.findall(memory.casefold()))
    return {name for name, own in words.items() if own and 2 * len(there.intersection(own)) >= len(own)}


def distinct(texts: Sequence[str], n: int = 2) -> float | None:
    """Share of distinct n-grams of words among all of them (distinct-n, Li et al. 2016); None without any.

    Args:
        texts: Messages; n-grams do not cross from one to the next.
        n: From 1.
    """
    grams = []
    for text in texts:
        words = text.casefold().split()
        grams += [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    return len(set(grams)) / len(grams) if grams else None


def compression(texts: Sequence[str]) -> float | None:
    """Compressed over plain size of the messages together, in [0, 1]; low where they repeat each other.

    The compressed size is zlib's less that of nothing. None without any letter.
    """
    data = "\n".join(texts).encode("utf-8", "replace")
    if not data:
        return None
    return min(1.0, (len(zlib.compress(data, 9)) - len(zlib.compress(b"", 9))) / len(data))


def word_share(texts: Sequence[str], known: Collection[str]) -> float | None:
    """Share of words that are known ones, plurals and other endings allowed; None without any letter.

    Args:
        texts: Messages. What is written in other letters than a to z counts as no word of the dictionary.
        known: Words in lower case.
    """
    total = hits = 0
    for chunk in " ".join(texts).casefold().split():
        words = _WORD.findall(chunk.replace("’", "'"))
        if not words and not any(letter.isalpha() for letter in chunk):
            continue
        total += 1
        hits += bool(words) and all(_is_known(word, known) for word in words)
    return hits / total if total else None


def _is_known(word: str, known: Collection[str]) -> bool:
    if word in known:
        return True
    stems = [word.removesuffix(end) for end in ("s", "es", "ed", "d", "ing", "ly", "'s") if word.endswith(end)]
    return any(stem in known or f"{stem}e" in known for stem in stems if len(stem) > 1)


def letter_entropy(texts: Sequence[str]) -> float | None:
    """Entropy of single characters in bits, letters in lower case, a gap being one character; None without any.

    English has about 4.1; random letters a to z have 4.7, one letter again and again 0.
    """
    text = " ".join(" ".join(texts).casefold().split())
    if not text:
        return None
    counts = Counter(text)
    return -sum(c / len(text) * math.log2(c / len(text)) for c in counts.values())
