"""The stages hold no more than a few planes of counts at a time, however many there are."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence

import numpy as np
import pytest

from pipeline_lib.imaging.class_images import fields_to_class_images
from pipeline_lib.imaging.intensity import IntensityMap, fit_intensity, intensity_to_losses
from pipeline_lib.imaging.quality import fields_to_quality
from pipeline_lib.imaging.quality_pictures import verdicts_to_picture
from pipeline_lib.imaging.regions import planes_to_mean
from pipeline_lib.imaging.splitting import SplitRow
from pipeline_lib.imaging.tiling import regions_to_tiles
from pipeline_lib.settings.intensity import IntensitySettings
from pipeline_lib.settings.quality import QualitySettings
from pipeline_lib.settings.real_priors import RealPrior
from pipeline_lib.settings.tiling import TilingSettings

COUNT, SIDE, AT_ONCE = 12, 96, 2


class Watched(Sequence):
    """Planes that are made when they are asked for, and counted while they live."""

    shape, dtype = (COUNT, SIDE, SIDE), np.dtype(np.float32)

    def __init__(self):
        self.most = 0
        self.living: list[weakref.ref] = []

    def __len__(self):
        return COUNT

    def __getitem__(self, number):
        if not 0 <= number < COUNT:
            raise IndexError(number)
        gc.collect()
        self.living = [one for one in self.living if one() is not None]
        plane = np.random.default_rng(number).normal(1000, 30, (SIDE, SIDE)).astype(np.float32)
        self.living.append(weakref.ref(plane))
        self.most = max(self.most, len(self.living))
        return plane


def judge(planes):
    quality = fields_to_quality({"a": planes}, QualitySettings())
    verdicts_to_picture(quality.verdicts, {"a": planes})


def map_to_8_bits(planes):
    intensity = fit_intensity(planes, IntensitySettings())
    intensity_to_losses(planes, intensity)


def cut(planes):
    rows = [SplitRow("a", number, 0, SIDE, 0, SIDE, "g", "train", "") for number in range(COUNT)]
    regions_to_tiles(rows, planes, {"a": None}, IntensityMap(900, 1100), TilingSettings(size=32))


def cut_class_images(planes):
    prior = RealPrior(class_prompt="cells", size=32, count=20)
    assert len(fields_to_class_images({"a": planes}, prior)) == 20


@pytest.mark.parametrize("stage", [judge, map_to_8_bits, cut, cut_class_images, planes_to_mean])
def test_a_stage_goes_by_plane(stage):
    planes = Watched()
    gc.freeze()  # what others made is not looked through at every plane
    try:
        stage(planes)
    finally:
        gc.unfreeze()
    assert 0 < planes.most <= AT_ONCE
