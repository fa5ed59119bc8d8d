import sys
import types

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from finchmark.suite.agents.similarity import clusters, load_embedder, similarities, tfidf
from finchmark.suite.errors import UsageError

TEXTS = ["a a b not", "b 💡 ○", "red, red: b", ""]


def test_the_weights_are_scikit_learns():
    oracle = TfidfVectorizer(token_pattern=r"\w+|[^\w\s]", ngram_range=(1, 2), sublinear_tf=True)
    assert np.allclose(tfidf(TEXTS), oracle.fit_transform(TEXTS).toarray())


def test_what_all_texts_share_has_no_weight_where_they_are_to_be_told_apart():
    rows = tfidf(["the end red", "the end blue"], shared=False)
    assert np.allclose(rows @ rows.T, np.eye(2))
    assert similarities(["the end red", "the end blue"])[0, 1] > 0.4


def test_equal_texts_are_alike_whatever_counts():
    assert similarities(["red", "red"], shared=False).tolist() == [[1, 1], [1, 1]]


def test_signs_count_as_words():
    near = similarities(["○ ○ 💡", "○ ○ 💡", "💡 💡 💡"])
    assert near[0, 1] == 1
    assert near[0, 2] < 0.9


@settings(max_examples=50)
@given(st.lists(st.text(max_size=30), max_size=6))
def test_similarities_are_symmetric_bounded_and_the_same_twice(texts):
    near = similarities(texts)
    assert near.shape == (len(texts), len(texts))
    assert np.array_equal(near, near.T)
    assert ((near >= 0) & (near <= 1)).all()
    assert np.array_equal(near, similarities(texts))


def test_a_text_without_a_word_is_like_none():
    assert similarities(["", "red"]).tolist() == [[1, 0], [0, 1]]
    assert similarities(["", " "]).tolist() == [[1, 0], [0, 1]]


def test_an_embedder_is_used(monkeypatch):
    module = types.ModuleType("fake_embedder")
    module.lengths = lambda texts: [[len(text), 1] for text in texts]
    monkeypatch.setitem(sys.modules, "fake_embedder", module)
    near = similarities(["aaa", "bbb", "c"], load_embedder("fake_embedder:lengths"))
    assert near[0, 1] == 1
    assert near[0, 2] < 1


@pytest.mark.parametrize("rows", [[[1.0]], [1.0, 2.0], [[float("nan")], [1.0]], [[1.0], [1.0, 2.0]], ["a", "b"]])
def test_an_embedder_that_gives_no_vectors_is_refused(rows):
    with pytest.raises(UsageError, match="embedder"):
        similarities(["a", "b"], lambda texts: rows)


@pytest.mark.parametrize("target", ["numpy", "numpy:nothing", "no_such_module:f", "sys:maxsize"])
def test_an_embedder_must_be_a_function(target):
    with pytest.raises(UsageError):
        load_embedder(target)


def test_like_texts_are_grouped_the_largest_group_first():
    lamp, door = "Turn 1: the lamp glows and dies.", "Turn 1: a wooden door was shut."
    assert clusters([door, f"{lamp} One", f"{lamp} Two", f"{lamp} Three"], 0.5) == [[1, 2, 3], [0]]
    assert clusters(["a", "b"], 0.4) == [[0], [1]]
    assert clusters(["a"], 0.4) == [[0]]
    assert clusters([], 0.4) == []


@settings(max_examples=50)
@given(st.lists(st.text(max_size=20), max_size=8), st.floats(0, 1))
def test_every_text_is_in_one_group(texts, least):
    assert sorted(i for group in clusters(texts, least) for i in group) == list(range(len(texts)))
