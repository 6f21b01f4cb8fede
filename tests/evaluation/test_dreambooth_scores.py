from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.evaluation.dreambooth_scores import (
    embeddings_to_diversity,
    embeddings_to_prompt_fidelity,
    embeddings_to_subject_fidelity,
)
from pipeline_lib.settings.base import UserError


def cosine(a, b):
    return float(np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.fixture
def sets():
    generator = np.random.default_rng(0)
    return generator.normal(size=(6, 5)), generator.normal(0.5, 2, (9, 5))


def test_subject_fidelity_is_the_mean_over_all_pairs_that_share_no_origin(sets):
    first, second = sets
    expected = np.mean([cosine(a, b) for a in first for b in second])
    assert embeddings_to_subject_fidelity(first, second) == pytest.approx(expected, rel=1e-12)
    origins = np.arange(6) % 3, np.arange(9) % 4
    apart = [
        cosine(a, b)
        for a, own in zip(first, origins[0], strict=True)
        for b, other in zip(second, origins[1], strict=True)
        if own != other
    ]
    found = embeddings_to_subject_fidelity(first, second, origins)
    assert found == pytest.approx(np.mean(apart), rel=1e-12)


def test_a_class_that_has_collapsed_onto_the_subject_scores_high():
    generator = np.random.default_rng(1)
    subject = generator.normal(size=8)
    real, collapsed = (subject + 0.1 * generator.normal(size=(10, 8)) for _ in range(2))
    preserved = generator.normal(size=(200, 8))
    assert embeddings_to_subject_fidelity(collapsed, real) > 0.95
    assert abs(embeddings_to_subject_fidelity(preserved, real)) < 0.1


def test_prompt_fidelity_compares_each_image_with_its_own_prompt(sets):
    images, prompts = sets[0], sets[1][:6]
    expected = np.mean([cosine(a, b) for a, b in zip(images, prompts, strict=True)])
    assert embeddings_to_prompt_fidelity(images, prompts) == pytest.approx(expected)
    assert embeddings_to_prompt_fidelity(images, prompts[::-1]) != pytest.approx(expected)
    one = np.mean([cosine(a, prompts[0]) for a in images])
    assert embeddings_to_prompt_fidelity(images, prompts[:1]) == pytest.approx(one)


def test_diversity_is_the_mean_over_pairs_of_one_prompt_then_over_prompts(sets):
    rows, prompts = sets[1], np.array(list("aabbbbbca"))
    groups = [rows[prompts == prompt] for prompt in "ab"]
    expected = np.mean(
        [
            np.mean(
                [1 - cosine(g[i], g[j]) for i in range(len(g)) for j in range(len(g)) if i != j]
            )
            for g in groups
        ]
    )
    assert embeddings_to_diversity(rows, prompts) == pytest.approx(expected)


def test_one_image_again_and_again_has_no_diversity():
    rows = np.random.default_rng(2).normal(size=(1, 4)).repeat(5, axis=0)
    assert embeddings_to_diversity(rows, np.zeros(5)) == pytest.approx(0, abs=1e-12)
    opposite = np.array([[1.0, 0], [-1.0, 0]])
    assert embeddings_to_diversity(opposite, ["x", "x"]) == pytest.approx(2)


@given(st.integers(0, 1000), st.integers(1, 6), st.integers(1, 6), st.floats(0.01, 100))
def test_similarities_are_bounded_symmetric_and_blind_to_length(seed, first, second, scale):
    generator = np.random.default_rng(seed)
    x, y = generator.normal(size=(first, 3)), generator.normal(size=(second, 3))
    value = embeddings_to_subject_fidelity(x, y)
    assert -1 - 1e-12 <= value <= 1 + 1e-12
    assert embeddings_to_subject_fidelity(scale * y, x) == pytest.approx(value, abs=1e-12)


def test_empty_sets_have_no_score():
    some, none = np.ones((3, 2)), np.zeros((0, 2))
    assert np.isnan(embeddings_to_subject_fidelity(some, none))
    assert np.isnan(embeddings_to_prompt_fidelity(none, none))
    assert np.isnan(embeddings_to_diversity(some, ["a", "b", "c"]))


def test_what_does_not_fit_is_refused_in_words():
    rows = np.ones((3, 2))
    with pytest.raises(UserError, match="2 and of 4 dimensions"):
        embeddings_to_subject_fidelity(rows, np.ones((3, 4)))
    with pytest.raises(UserError, match="3 images and 2 prompts"):
        embeddings_to_prompt_fidelity(rows, rows[:2])
    with pytest.raises(UserError, match="one prompt for each image"):
        embeddings_to_diversity(rows, ["a", "b"])
    with pytest.raises(UserError, match="no direction"):
        embeddings_to_subject_fidelity(rows, np.zeros((1, 2)))
