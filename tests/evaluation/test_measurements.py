from __future__ import annotations

import numpy as np
import pytest

from pipeline_lib.evaluation.intensities import images_to_noise
from pipeline_lib.evaluation.measurements import images_to_measures
from pipeline_lib.evaluation.objects import fit_segmenter, images_to_objects
from tests.evaluation.shards import draw_fields


def test_chunks_do_not_change_measures(monkeypatch):
    images = draw_fields(0, 7, 64)
    arguments = (images, np.zeros((7, 2)), np.arange(7), fit_segmenter(images))
    whole = images_to_measures(*arguments)
    monkeypatch.setattr("pipeline_lib.evaluation.measurements.CHUNK", 3)
    parts = images_to_measures(*arguments)
    for name in ("histograms", "noise", "sharpness", "radial", "grid", "counts", "coverage"):
        assert getattr(parts, name) == pytest.approx(getattr(whole, name)), name
    assert (len(parts), parts.unit_count(), parts.digests) == (7, 7, whole.digests)


def test_measures_are_those_of_the_single_modules_in_the_wanted_unit():
    images = draw_fields(1, 5, 64)
    segmenter = fit_segmenter(images)
    measures = images_to_measures(images, np.zeros((5, 2)), np.zeros(5, int), segmenter, 0.25)
    objects = images_to_objects(images, segmenter)
    assert measures.noise == pytest.approx(images_to_noise(images))
    whole = ~objects.at_rim
    alone = np.isnan(objects.nearest_neighbours)
    for name, expected in {
        "diameters": objects.diameters[whole] / 4,
        "eccentricities": objects.eccentricities[whole],
        "nearest_neighbours": objects.nearest_neighbours[~alone] / 4,
        "ring_contrasts": objects.ring_contrasts,
    }.items():
        assert len(expected) > 5
        assert np.concatenate(list(getattr(measures, name))) == pytest.approx(expected), name
        assert len(getattr(measures, name)) == len(measures)
    assert measures.counts.tolist() == objects.counts().tolist()
    assert measures.objects.diameters.tolist() == objects.diameters.tolist()
    assert measures.unit_count() == 1
    assert len(measures.digests) == 5
