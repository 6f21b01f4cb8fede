from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from pipeline_lib.imaging.views import View, apply_view, modality_to_views, undo_view


@pytest.mark.parametrize("modality", ["brightfield", "phase_contrast"])
def test_the_eight_views_are_all_different_and_the_first_is_the_picture(modality):
    picture = np.arange(9).reshape(3, 3)
    views = modality_to_views(modality)
    seen = {apply_view(picture, view).tobytes() for view in views}
    assert len(views) == len(seen) == 8
    np.testing.assert_array_equal(apply_view(picture, views[0]), picture)


@pytest.mark.parametrize("modality", ["oblique", "dic"])
def test_pictures_with_shadows_have_one_view(modality):
    assert modality_to_views(modality) == (View(),)


def test_the_views_are_a_group():
    """Two views after one another are one of the eight: the symmetry of the square."""
    picture = np.arange(9).reshape(3, 3)
    views = modality_to_views("brightfield")
    all_of_them = {apply_view(picture, view).tobytes() for view in views}
    for one in views:
        for other in views:
            assert apply_view(apply_view(picture, one), other).tobytes() in all_of_them


def test_stacks_are_turned_plane_by_plane():
    stack = np.random.default_rng(0).integers(0, 255, (3, 4, 5, 6))
    for view in modality_to_views("brightfield"):
        turned = apply_view(stack, view)
        assert turned.flags.c_contiguous
        np.testing.assert_array_equal(turned[2, 3], apply_view(stack[2, 3], view))


def test_a_view_can_be_undone():
    stack = np.random.default_rng(1).integers(0, 255, (3, 4, 5))
    for view in modality_to_views("brightfield"):
        back = undo_view(apply_view(stack, view), view)
        assert back.flags.c_contiguous
        np.testing.assert_array_equal(back, stack)


def test_why_oblique_pictures_are_not_flipped():
    """The relief of a blob under light from one side has its shadow on the other if flipped."""
    blob = np.zeros((33, 33))
    blob[16, 16] = 1
    relief = ndimage.gaussian_filter(blob, 4, order=(0, 1))
    flipped = apply_view(relief, View(flipped=True))
    np.testing.assert_allclose(flipped, -relief, atol=1e-12)
