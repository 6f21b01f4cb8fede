from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from pipeline_lib.evaluation.image_sets import read_manifests
from pipeline_lib.evaluation.releases import by_concept, choose_released, grey_to_scale
from pipeline_lib.imaging.camera_noise import add_camera_noise, tiles_to_camera_noise
from pipeline_lib.imaging.intensity import IntensityMap
from pipeline_lib.settings.base import UserError
from tests.evaluation.shards import draw_fields, write_shard


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards") / "a.zip"
    write_shard(folder, draw_fields(0, 6, 64), bad=[1])
    return read_manifests([folder])


@pytest.fixture
def copies():
    verdicts = {0: "new", 2: "copy", 3: "near", 4: "unknown"}
    return pd.DataFrame(
        {
            "concept": "cells",
            "prompt_name": "cells-64-subject",
            "index": list(verdicts),
            "verdict": list(verdicts.values()),
            "similarity": 0.9,
            "threshold": 0.8,
            "source": "field",
            "plane": 2,
            "y": 31.6,
            "x": 7.0,
        }
    )


def test_what_is_held_back_has_its_reason(rows, copies):
    accepted, held_back = choose_released(rows, copies, hold_back_copies=True)
    assert accepted["index"].tolist() == [0, 3]
    assert dict(zip(held_back["index"], held_back["why"], strict=True)) == {
        1: "blank: grey levels vary by 0.00, less than 1",
        2: "copy of field, plane 2, row 32, column 7: similarity 0.900, threshold 0.800",
        4: "no held-out image tells how near a copy is",
        5: "not compared with the training images",
    }


def test_copies_go_out_only_if_asked_for_and_broken_images_never(rows, copies):
    accepted, held_back = choose_released(rows, copies, hold_back_copies=False)
    assert accepted["index"].tolist() == [0, 2, 3, 4, 5]
    assert held_back["index"].tolist() == [1]


@given(st.floats(0, 60000), st.floats(1, 5000))
def test_camera_scale_undoes_the_intensity_map_to_half_a_count(low, width):
    intensity = IntensityMap(low, low + width)
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    counts = grey_to_scale(grey, intensity, "camera", np.dtype("uint16"))
    assert counts.dtype == np.uint16
    assert np.abs(counts - intensity.inverse(grey)).max() <= 0.5
    if width > 255:
        assert (intensity.apply(counts) == grey).all()


def test_8_bit_scale_is_the_image_itself():
    grey = draw_fields(1, 1, 64)[0]
    assert grey_to_scale(grey, IntensityMap(0, 1000), "8bit", np.dtype("uint16")) is grey


@pytest.mark.parametrize(
    ("dtype", "low", "high", "written"),
    [
        ("uint8", 20.0, 230.0, "uint8"),
        ("uint16", 300.0, 4000.0, "uint16"),
        ("int16", -900.0, 1500.0, "int16"),
        ("uint32", 1e6, 3e6, "uint32"),
        ("int32", -2e6, 3e6, "int32"),
        ("float16", 0.25, 0.75, "float32"),
        ("float32", 0.0, 1.0, "float32"),
        ("float64", -1e-3, 1e-3, "float64"),
    ],
)
def test_camera_scale_is_of_the_fields_own_type(dtype, low, high, written):
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    intensity = IntensityMap(low, high)
    counts = grey_to_scale(grey, intensity, "camera", np.dtype(dtype))
    assert counts.dtype == written
    kept = 211 if dtype == "uint8" else 256
    assert len(np.unique(counts)) == kept
    half = 0.5 if counts.dtype.kind in "iu" else 1e-6 * (high - low)
    assert np.abs(counts - intensity.inverse(grey)).max() <= half


@pytest.mark.parametrize(("dtype", "low", "high"), [("uint8", -9, 300), ("int16", -40000, 40000)])
def test_camera_scale_is_cut_off_at_the_types_range(dtype, low, high):
    grey = np.array([[0, 128, 255]], np.uint8)
    counts = grey_to_scale(grey, IntensityMap(low, high), "camera", np.dtype(dtype))
    limits = np.iinfo(dtype)
    assert (counts[0, 0], counts[0, 2]) == (limits.min, limits.max)


def test_a_path_for_each_concept_is_needed():
    paths = [Path("a.json"), Path("b.json")]
    assert by_concept(["x", "y"], paths, "--intensities")["y"] == Path("b.json")
    with pytest.raises(UserError, match=r"--intensities needs one path .* x, y, found 1"):
        by_concept(["x", "y"], paths[:1], "--intensities")


def test_camera_noise_survives_in_camera_counts():
    gain, read_noise, side = 2.0, 9.0, 128
    light = np.full((16, side, side), 900.0)
    deviation = np.hypot(read_noise, np.sqrt(gain * 900.0))
    counts = light + np.random.default_rng(0).normal(0, deviation, light.shape)
    intensity = IntensityMap(300, 2000)
    tiles = intensity.apply(counts)
    smooth = np.rint(ndimage.gaussian_filter(tiles.astype(float), (0, 4, 4))).astype(np.uint8)
    noise = tiles_to_camera_noise(tiles, smooth)
    noisy = add_camera_noise(smooth.astype(float), noise, range(16))
    released = grey_to_scale(noisy, intensity, "camera", np.dtype("uint16"))
    assert released.dtype == np.uint16
    assert released.std() == pytest.approx(deviation, rel=0.1)
