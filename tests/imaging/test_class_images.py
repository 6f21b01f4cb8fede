from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.imaging.class_images import fields_to_class_images
from pipeline_lib.imaging.field_files import FieldFile
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.reading import ReadingSettings
from pipeline_lib.settings.real_priors import RealPrior

FIXED = {"method": "fixed", "low": 0, "high": 255}


def prior(**keys: Any) -> RealPrior:
    told = {"class_prompt": "cells", "size": 32, "count": 1, "intensity": FIXED}
    return RealPrior.model_validate(told | keys)


def numbered(count: int) -> np.ndarray:
    """Return planes of 32x64 pixels whose two halves are 2k and 2k + 1."""
    levels = np.arange(2 * count, dtype=np.uint16).reshape(count, 1, 2)
    return levels.repeat(32, axis=1).repeat(32, axis=2)


@given(planes=st.integers(1, 30), data=st.data())
def test_images_are_taken_evenly_and_in_order(planes: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 2 * planes))
    fields = {"a": numbered(planes)[: planes // 2 + 1], "b": numbered(planes)[planes // 2 + 1 :]}
    images = fields_to_class_images(fields, prior(count=count))
    assert images.shape == (count, 32, 32) and images.dtype == np.uint8
    levels = images[:, 0, 0].astype(int)
    assert (images == levels[:, None, None]).all()
    gaps = np.diff(levels)
    assert count < 3 or gaps.max() - gaps.min() <= 1
    assert count == 1 or (levels[0], levels[-1]) == (0, 2 * planes - 1)


def test_counts_are_mapped_as_tiles_are() -> None:
    counts = np.random.default_rng(0).integers(1000, 3000, (1, 32, 32)).astype(np.uint16)
    told = prior(intensity={"low_percentile": 1, "high_percentile": 99})
    (image,) = fields_to_class_images({"a": counts}, told)
    ordered = np.sort(counts.ravel())
    low, high = ordered[int(np.ceil(0.01 * 1024)) - 1], ordered[int(np.ceil(0.99 * 1024)) - 1]
    expected = np.clip((counts[0] - float(low)) * 255 / (float(high) - low), 0, 255).round()
    assert np.array_equal(image, expected)


def test_pictures_are_resampled_before_they_are_cut() -> None:
    doubled = numbered(3).repeat(2, axis=1).repeat(2, axis=2)
    halved = fields_to_class_images({"a": doubled}, prior(scale=0.5, count=6))
    assert (halved[:, :, 8:24] == np.arange(6)[:, None, None]).all()  # inside the halves
    with pytest.raises(UserError, match=r"a is 16x32 pixels at scale 0.5, smaller than .* 32"):
        fields_to_class_images({"a": numbered(3)}, prior(scale=0.5))


@pytest.mark.parametrize(
    ("fields", "keys", "message"),
    [
        ({"a": numbered(3)}, {"count": 7}, "1 files give 6 images of 32 pixels.*`count` is 7"),
        (
            {"a": numbered(3), "b": np.zeros((1, 20, 64), np.uint16)},
            {},
            "b is 20x64 pixels at scale 1, smaller",
        ),
        (
            {"a": numbered(3), "b": numbered(3).astype(np.uint8)},
            {"intensity": {}},
            "uint16 and uint8.*image_percentile",
        ),
    ],
)
def test_what_cannot_serve_is_refused(
    fields: dict[str, np.ndarray], keys: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        fields_to_class_images(fields, prior(**keys))


def test_files_of_several_types_have_each_its_own_map() -> None:
    fields = {"a": numbered(2) * 100, "b": numbered(2).astype(np.uint8)}
    told = prior(intensity={"method": "image_percentile"}, count=8)
    images = fields_to_class_images(fields, told)
    assert sorted(set(images[:, 0, 0].tolist())) == [0, 255]


def test_files_and_arrays_give_equal_images(tmp_path: Path) -> None:
    counts = np.random.default_rng(0).integers(0, 4000, (3, 40, 70)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", counts, photometric="minisblack")
    file = FieldFile(tmp_path / "a.tif", ReadingSettings(axes="TYX"))
    told = prior(count=6, intensity={})
    whole, by_plane = (fields_to_class_images({"a": one}, told) for one in (counts, file))
    assert np.array_equal(whole, by_plane)
