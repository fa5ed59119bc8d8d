"""What a society's words and choices come to: divergence of values, rules still known, how alike or private talk is."""

from __future__ import annotations

import math
import re
import zlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from .questions import REFERENCE

__all__ = [
    "COMMON", "FLOOR", "compression", "distinct", "letter_entropy", "rule_words", "rules_kept", "self_bleu", "value_kl",
    "value_kl_exact", "word_entropy", "word_share",
]  # fmt: skip

FLOOR = 1e-12
"""The least probability that :func:`value_kl_exact` reckons with."""

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
            found.append(_divergence([(chosen[option] + add) / (total + add * size) for option in range(size)], good))
    return sum(found) / len(found) if found else None


def value_kl_exact(shares: Sequence[Sequence[Sequence[float]]], goods: Sequence[int]) -> float | None:
    """As :func:`value_kl`, with the society's P from probabilities: nothing is drawn, and nothing is added.

    P is the mean over agents. A probability under :data:`FLOOR` counts as that, so that no question gives more than
    26.8 nats.

    Args:
        shares: By agent and question, the probability of each option.
        goods: By question, the index of the reference's first option.

    Returns:
        None where there is no agent or no question.
    """
    found = []
    for k, good in enumerate(goods):
        agents = [own[k] for own in shares if k < len(own)]
        if agents:
            society = [sum(column) / len(agents) for column in zip(*agents, strict=True)]
            found.append(_divergence(society, good))
    return sum(found) / len(found) if found else None


def _divergence(society: Sequence[float], good: int) -> float:
    """KL(reference || society) of one question, in nats."""
    total = 0.0
    for option, q in enumerate(society):
        p = REFERENCE[0] if option == good else REFERENCE[1]
        total += p * math.log(p / max(q, FLOOR))
    return total


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
    grams = [gram for text in texts for gram in _grams(text.casefold().split(), n)]
    return len(set(grams)) / len(grams) if grams else None


def self_bleu(texts: Sequence[str]) -> float | None:
    """Mean BLEU of each message against all others (self-BLEU, Zhu et al. 2018), in [0, 1]; 1 where all say the same.

    BLEU with n-grams of 1 to 4 words (Papineni et al. 2002), one added to both counts of those above 1, since messages
    are a sentence each (Lin and Och 2004). Where two references are equally near in length the shorter one counts.

    Args:
        texts: Messages; those without a word are left out.

    Returns:
        None for fewer than two.
    """
    spoken = [words for text in texts if (words := text.casefold().split())]
    if len(spoken) < 2:
        return None
    counts = [[Counter(_grams(words, n)) for n in range(1, _ORDERS + 1)] for words in spoken]
    return sum(_bleu(k, spoken, counts) for k in range(len(spoken))) / len(spoken)


_ORDERS = 4


def _grams(words: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


def _bleu(k: int, spoken: Sequence[Sequence[str]], counts: Sequence[Sequence[Counter[tuple[str, ...]]]]) -> float:
    others = [other for j, other in enumerate(counts) if j != k]
    logs = 0.0
    for n, own in enumerate(counts[k]):
        hits = sum(min(many, max(other[n][gram] for other in others)) for gram, many in own.items())
        more = int(n > 0)
        if not hits + more:
            return 0.0
        logs += math.log((hits + more) / (sum(own.values()) + more))
    length = len(spoken[k])
    near = min((len(words) for j, words in enumerate(spoken) if j != k), key=lambda m: (abs(m - length), m))
    return math.exp(min(0.0, 1 - near / length) + logs / _ORDERS)


def word_entropy(texts: Sequence[str]) -> float | None:
    """Entropy of single words in bits, over all messages together; None without any. Low where few words do it all.

    Of a sample, and so too low (Miller 1955): only samples of about as many words can be held against each other.
    """
    counts = Counter(word for text in texts for word in text.casefold().split())
    total = sum(counts.values())
    return -sum(c / total * math.log2(c / total) for c in counts.values()) + 0.0 if total else None


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
