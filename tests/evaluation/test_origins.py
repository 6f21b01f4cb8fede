from __future__ import annotations

import numpy as np

from pipeline_lib.evaluation.origins import default_origins, units_to_origins


def test_units_of_one_set_never_meet_those_of_the_other_unless_paired():
    units = np.array([0, 0, 1, 2]), np.array([0, 1, 1])
    own, other = units_to_origins(*units)
    assert own.tolist() == [0, 0, 1, 2]
    assert not set(own.tolist()) & set(other.tolist())
    assert (other[1:2] == other[2:]).all() and other[0] != other[1]
    own, other = units_to_origins(units[0], units[0], paired=True)
    assert own.tolist() == other.tolist() == [0, 0, 1, 2]


def test_the_images_of_one_unit_alone_are_origins_of_their_own():
    own, other = units_to_origins(np.zeros(3, int), np.array([0, 1]))
    assert own.tolist() == [0, 1, 2]
    assert not set(own.tolist()) & set(other.tolist())


def test_without_origins_no_image_shares_one():
    own, other = default_origins(2, 3, None, None)
    assert [*own, *other] == [0, 1, 2, 3, 4]
    told = default_origins(2, 1, np.array([7, 7]), np.array([7]))
    assert [side.tolist() for side in told] == [[7, 7], [7]]
