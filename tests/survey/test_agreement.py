from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline_lib.survey.agreement import choices_to_agreement

# Ten subjects, fourteen raters, five categories: the example that goes with Fleiss' kappa.
COUNTS = """
0 0 0 0 14
0 2 6 4 2
0 0 3 5 6
0 3 9 2 0
2 2 8 1 1
7 7 0 0 0
3 2 6 3 0
2 5 3 2 2
6 5 2 1 0
0 2 2 3 7
"""


def test_the_known_example():
    counts = np.array([list(map(int, line.split())) for line in COUNTS.split("\n") if line])
    choices = np.array([np.repeat(np.arange(1, 6), row) for row in counts])
    found = choices_to_agreement(choices, 5)
    assert found.kappa == pytest.approx(0.210, abs=5e-4)
    assert found.observed == pytest.approx(0.378, abs=5e-4)
    assert found.trials == 10


def test_all_alike_is_one():
    choices = np.repeat([[1], [2], [2], [4]], 3, axis=1)
    assert choices_to_agreement(choices, 4).kappa == pytest.approx(1)


def test_never_alike_is_minus_one_for_two_raters():
    choices = np.array([[1, 2], [2, 1], [1, 2], [2, 1]])
    assert choices_to_agreement(choices, 2).kappa == pytest.approx(-1)


def test_guessing_raters_do_not_agree():
    choices = np.random.default_rng(0).integers(1, 5, (4000, 3))
    assert choices_to_agreement(choices, 4).kappa == pytest.approx(0, abs=0.03)


def test_one_position_alone_has_no_kappa():
    found = choices_to_agreement(np.ones((5, 2), int), 2)
    assert math.isnan(found.kappa) and found.observed == 1
