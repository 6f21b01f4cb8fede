from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline_lib.settings.base import UserError
from pipeline_lib.survey.pictures import check_alike, image_to_plain_png, trial_to_pngs
from pipeline_lib.survey.trials import Trial
from tests.survey.small_survey import noise


def chunks(png: bytes) -> list[bytes]:
    """Return the names of a PNG's chunks."""
    names, place = [], 8
    while place < len(png):
        names.append(png[place + 4 : place + 8])
        place += 12 + int.from_bytes(png[place : place + 4], "big")
    return names


@given(height=st.integers(1, 300), width=st.integers(1, 300), seed=st.integers(0, 99))
def test_only_pixels_differ(height, width, seed):
    grainy = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    ramp = np.linspace(0, 255, grainy.size).astype(np.uint8).reshape(grainy.shape)
    pngs = [image_to_plain_png(image) for image in (grainy, ramp, np.zeros_like(grainy))]
    assert len({len(png) for png in pngs}) == 1
    assert len({tuple(chunks(png)) for png in pngs}) == 1
    assert set(chunks(pngs[0])) == {b"IHDR", b"IDAT", b"IEND"}
    for png, image in zip(pngs, (grainy, ramp), strict=False):
        with Image.open(io.BytesIO(png)) as found:
            assert found.mode == "L"
            assert np.array_equal(np.asarray(found), image)


@pytest.mark.parametrize("target", [0, 1, 2, 3])
def test_pictures_stand_where_the_trial_says(target):
    real, synthetic = noise(3, 1), noise(5, 2)
    pngs = trial_to_pngs(Trial(target, 2, (4, 0, 3)), real, synthetic)
    others = [image_to_plain_png(synthetic[number]) for number in (4, 0, 3)]
    assert pngs[target] == image_to_plain_png(real[2])
    assert [png for place, png in enumerate(pngs) if place != target] == others


@pytest.mark.parametrize(
    ("synthetic", "said"),
    [
        (noise(2, 0, 8), "16x16 pixels, synthetic images 8x8"),
        (noise(2, 0).astype(np.uint16), "uint16"),
        (np.zeros((2, 16, 16, 3), np.uint8), "8-bit grey"),
    ],
)
def test_what_would_tell_one_from_the_other_is_refused(synthetic, said):
    with pytest.raises(UserError, match=said):
        check_alike(noise(2, 1), synthetic)
