from __future__ import annotations

import numpy as np
import pytest

from pipeline_lib.sampling.manifests import judge_picture


def picture(spread: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0.5, spread, (32, 32, 1))
    return np.repeat(noise, 3, axis=-1).astype(np.float32)


@pytest.mark.parametrize(
    ("intensities", "status"),
    [
        (picture(0.1), "ok"),
        (picture(2 / 255), "ok"),
        (picture(0.5 / 255), "blank"),
        (picture(0.0), "blank"),
        (picture(0.1) + 5, "blank"),  # all white once it is clipped
    ],
)
def test_blank_pictures_are_told(intensities, status):
    found, reason = judge_picture(intensities)
    assert found == status
    assert bool(reason) == (status != "ok")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_one_bad_pixel_is_enough(value):
    bad = picture(0.1)
    bad[3, 4, 1] = value
    assert judge_picture(bad) == ("not finite", "1 pixels are not finite")
