"""Directions out of a model's stream: a planted one is found again, whatever is counted from where."""

import json

import numpy as np
import pytest
import torch

from finchmark.suite.backends import HiddenRequest, Message
from finchmark.suite.backends.direction import Choices
from finchmark.suite.backends.extraction import Pair, block_of, extract, read_pairs
from finchmark.suite.errors import UsageError
from finchmark.suite.seeds import generator

SUBJECTS = ("lamp", "stone", "beak", "rain", "tree", "bird", "switch", "seed")
PAIRS = tuple(
    Pair(f"Where is the {s}?", f"Where is the {s}? Think of the rain, the beak and the lamp.") for s in SUBJECTS
)


class _Planted:
    """A backend whose stream moves by a planted direction wherever a prompt has a sentence more."""

    def __init__(self, inner, direction):
        self.inner, self.direction = inner, direction

    def identity(self):
        return self.inner.identity()

    async def hidden_states(self, request):
        found = 0.01 * await self.inner.hidden_states(request)
        return found + self.direction * ("Think" in request.messages[0].content)


@pytest.mark.parametrize("positions", ["last", "mean"])
def test_a_planted_direction_is_recovered(serve, positions):
    planted = generator("planted").normal(size=64)
    (file,) = serve(lambda b: extract(_Planted(b, planted), PAIRS, [1], Choices(positions=positions, scale="shift")))
    assert file.direction.vector @ planted / np.linalg.norm(planted) ** 2 == pytest.approx(1.0, abs=0.05)
    assert file.direction.held_out == 1.0
    assert file.direction.pairs == 8


def test_the_differences_are_those_of_transformers(serve, model, tokenizer):
    (file,) = serve(lambda b: extract(b, PAIRS, [0], Choices(scale="stream")))

    def state(text):
        ids = tokenizer.apply_chat_template(
            [{"role": "user", "content": text}], add_generation_prompt=True, return_dict=False
        )
        with torch.inference_mode():
            return model(input_ids=torch.tensor([ids]), output_hidden_states=True).hidden_states[1][0, -1].numpy()

    d = np.stack([state(p.evolved) - state(p.plain) for p in PAIRS])
    unit = np.linalg.svd(d)[2][0]
    unit *= np.sign((d @ unit).mean())
    length = np.mean([np.linalg.norm(state(p.plain)) for p in PAIRS])
    np.testing.assert_allclose(file.direction.vector, length * unit, atol=1e-3)


def test_layers_can_be_counted_from_the_embeddings_and_from_the_end(serve):
    blocks = serve(lambda b: extract(b, PAIRS, [0, 1, -1]))
    shifted = serve(lambda b: extract(b, PAIRS, [1, 2], Choices(count_from="embedding")))
    assert [f.layer for f in blocks] == [0, 1, 1]
    assert [f.layer for f in shifted] == [0, 1]
    assert blocks[1].digest == blocks[2].digest
    for one, other in zip(blocks, shifted, strict=False):
        np.testing.assert_array_equal(one.direction.vector, other.direction.vector)
    with pytest.raises(UsageError, match="begins at layer 1"):
        block_of(0, Choices(count_from="embedding"))


def test_the_first_token_is_left_out_of_means(serve):
    async def use(backend):
        (file,) = await extract(backend, PAIRS[:2], [0], Choices(positions="mean", scale="stream"))
        norms = []
        for pair in PAIRS[:2]:
            states = await backend.hidden_states(HiddenRequest((Message("user", pair.plain),), (0,), positions="all"))
            norms.append(np.linalg.norm(states[0, 1:].mean(axis=0)))
        return file.direction.stream, np.mean(norms)

    ours, theirs = serve(use)
    assert ours == pytest.approx(float(theirs), rel=1e-5)


def test_what_cannot_be_is_refused(serve):
    with pytest.raises(UsageError, match="no layer 9"):
        serve(lambda b: extract(b, PAIRS, [9]))
    with pytest.raises(UsageError, match="at least 2 pairs"):
        serve(lambda b: extract(b, PAIRS[:1], [0]))
    long = (Pair("lamp " * 2000, "Which lamp?"), PAIRS[0])
    with pytest.raises(UsageError, match="the prompt 'lamp lamp"):
        serve(lambda b: extract(b, long, [0]))
    same = (Pair("Which lamp?", "Which lamp?"),) * 2
    with pytest.raises(UsageError, match="layer 1: the differences are all zero"):
        serve(lambda b: extract(b, same, [1]))


def test_pairs_are_read_from_yaml_json_and_lines(tmp_path):
    rows = [{"plain": p.plain, "evolved": p.evolved} for p in PAIRS]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    (tmp_path / "a.yaml").write_text(
        "\n".join(f"- plain: {json.dumps(r['plain'])}\n  evolved: {json.dumps(r['evolved'])}" for r in rows)
    )
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    for name in ("a.json", "a.yaml", "a.jsonl"):
        assert read_pairs(tmp_path / name) == PAIRS


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("[]", "holds no pairs"),
        ("{}", "holds no pairs"),
        ('[{"plain": "a"}]', "entry 1 must be a mapping"),
        ('[{"plain": "a", "evolved": "b"}, {"plain": "a", "evolved": "a"}]', "entry 2 has twice the same"),
        ("[", "cannot be read"),
    ],
)
def test_other_files_are_no_pairs(tmp_path, text, match):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(UsageError, match=match):
        read_pairs(tmp_path / "x.json")
