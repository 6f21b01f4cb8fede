from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline_lib.imaging.intensity import (
    IntensityMap,
    fit_intensity,
    images_to_percentiles,
    intensity_to_losses,
    intensity_to_record,
    losses_to_warning,
    record_to_intensity,
)
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.intensity import IntensitySettings

TYPES = ["uint8", "uint16", "int16", "uint32", "float32", "float64"]


@st.composite
def pictures(draw):
    """Return a picture of any type, finite, with counts that a camera could have."""
    dtype = np.dtype(draw(st.sampled_from(TYPES)))
    if dtype.kind == "f":
        elements = st.floats(-1e6, 1e6, width=32)
    else:
        kind = np.iinfo(dtype)
        elements = st.integers(int(kind.min), int(kind.max))
    return draw(arrays.arrays(dtype, (7, 9), elements=elements))


@st.composite
def percentiles(draw):
    low = draw(st.floats(0, 60))
    return {"low_percentile": low, "high_percentile": draw(st.floats(low + 1, 100))}


@given(pictures(), percentiles())
def test_the_map_is_monotone_and_undone_within_half_a_grey_level(picture, chosen):
    low, high = images_to_percentiles([picture], tuple(chosen.values()))
    assume(low < high)
    intensity = fit_intensity([picture], IntensitySettings(**chosen))
    counts = np.sort(picture.ravel())
    grey = intensity.apply(counts)
    assert (np.diff(grey.astype(int)) >= 0).all()
    assert intensity.apply(np.array([low, high])).tolist() == [0, 255]
    back = intensity.inverse(grey)
    half = (high - low) / 255 / 2
    inside = np.clip(counts.astype(float), low, high)
    assert (np.abs(back - inside) <= half * (1 + 1e-6) + 1e-9 * abs(high)).all()


@given(st.floats(-1e5, 1e5), st.floats(1e-3, 1e5))
def test_every_grey_level_survives_the_way_to_counts_and_back(low, span):
    intensity = IntensityMap(low, low + span)
    assume(span > abs(low) * 1e-6)
    grey = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(intensity.apply(intensity.inverse(grey)), grey)


@given(st.lists(pictures(), min_size=1, max_size=3), percentiles())
def test_percentiles_are_those_of_all_pixels_together(found, chosen):
    images = [image for image in found if image.dtype == found[0].dtype]
    both = tuple(chosen.values())
    everything = np.concatenate([image.ravel() for image in images])
    expected = np.percentile(everything, both, method="inverted_cdf")
    np.testing.assert_array_equal(images_to_percentiles(images, both), expected)


def test_camera_counts_near_the_top_of_16_bits_keep_their_grey_levels():
    """E. coli images of 63,450 to 65,535: `>> 8` would leave nine levels."""
    picture = np.arange(63_450, 65_536, dtype=np.uint16).reshape(2, -1)
    intensity = fit_intensity([picture], IntensitySettings(low_percentile=0, high_percentile=100))
    assert intensity_to_losses([picture], intensity) == {
        "clipped_low": 0,
        "clipped_high": 0,
        "foreground": 0,
        "clipped_foreground": 0,
        "levels_found": 2086,
        "levels_kept": 256,
    }
    assert len(np.unique(picture >> 8)) == 9


def test_what_is_clipped_is_counted():
    picture = np.arange(1000, dtype=np.uint16).reshape(10, 100)
    losses = intensity_to_losses([picture], IntensityMap(100, 899))
    assert losses["clipped_low"] == losses["clipped_high"] == 0.1


def test_sparse_dark_cells_that_become_black_are_told():
    """Half of a per mille of the pixels, and a third of all that shows cells."""
    draw = np.random.default_rng(0)
    picture = draw.normal(10_000, 30, (300, 300)).round().astype(np.uint16)
    picture[100:115, 100:109] = draw.integers(4000, 8000, (15, 9))
    wide = fit_intensity([picture], IntensitySettings(low_percentile=0.05, high_percentile=100))
    losses = intensity_to_losses([picture], wide)
    assert losses["foreground"] == pytest.approx(135 / 90_000, rel=0.1)
    assert losses["clipped_foreground"] == pytest.approx(1 / 3, rel=0.1)
    told = losses_to_warning(losses, wide)
    assert told.startswith("3") and "of the foreground lie beyond black" in told
    assert "`low_percentile` nearer to 0" in told
    whole = fit_intensity([picture], IntensitySettings(low_percentile=0, high_percentile=100))
    assert losses_to_warning(intensity_to_losses([picture], whole), whole) is None


def test_image_percentiles_follow_each_image_and_their_median_is_recorded():
    dark = np.arange(100, dtype=np.uint16).reshape(10, 10)
    images = [dark, dark + 1000, dark + 1010]
    chosen = IntensitySettings(method="image_percentile", low_percentile=0, high_percentile=100)
    intensity = fit_intensity(images, chosen)
    assert (intensity.low, intensity.high) == (1000, 1099)
    for image in images:
        np.testing.assert_array_equal(
            intensity.for_image(image).apply(image), IntensityMap(0, 99).apply(dark)
        )


def test_other_methods_give_one_map_for_all_images():
    images = [np.arange(100).reshape(10, 10), np.arange(100).reshape(10, 10) + 500]
    for chosen in (IntensitySettings(), IntensitySettings(method="fixed", low=0, high=600)):
        intensity = fit_intensity(images, chosen)
        assert intensity.for_image(images[1]) is intensity


def test_a_fixed_map_is_what_was_asked_for():
    intensity = fit_intensity(
        [np.zeros((2, 2))], IntensitySettings(method="fixed", low=100, high=355)
    )
    assert intensity.apply(np.array([0, 100, 101, 354, 355, 999])).tolist() == [
        0, 0, 1, 254, 255, 255,
    ]  # fmt: skip


def test_none_leaves_8_bits_alone_and_refuses_others():
    picture = np.arange(256, dtype=np.uint8).reshape(16, 16)
    chosen = IntensitySettings(method="none")
    np.testing.assert_array_equal(fit_intensity([picture], chosen).apply(picture), picture)
    with pytest.raises(UserError, match="needs 8-bit fields, found uint16"):
        fit_intensity([picture, picture.astype(np.uint16)], chosen)


@pytest.mark.parametrize("method", ["dataset_percentile", "image_percentile"])
def test_pixels_that_are_nearly_all_equal_are_refused(method):
    picture = np.full((40, 40), 7, np.uint16)
    picture[0, 0] = 9
    with pytest.raises(UserError, match="are both 7"):
        fit_intensity([picture], IntensitySettings(method=method))


def test_a_map_survives_its_record():
    intensity = IntensityMap(63_450.25, 65_535.0, "dataset_percentile", 0.1, 99.9)
    record = json.loads(json.dumps({**intensity_to_record(intensity), "losses": {}}))
    assert record_to_intensity(record) == intensity
