from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pytest

from pipeline_lib.evaluation.cellpose_segmenter import load_cellpose_segmenter
from pipeline_lib.evaluation.objects import ContrastSegmenter, fit_segmenter, images_to_objects
from pipeline_lib.evaluation.segmenters import name_to_segmenter
from pipeline_lib.settings.base import UserError

MASKS = np.array([[0, 2, 2], [0, 0, 5], [9, 9, 5]], np.uint16)


class CellposeModel:
    """The arguments of cellpose 4, and what it returns for one grey image."""

    made = ()

    def __init__(
        self,
        gpu=False,
        pretrained_model="cpsam",
        model_type=None,
        diam_mean=None,
        device=None,
        nchan=None,
        use_bfloat16=True,
    ):
        self.gpu, self.asked = gpu, []
        type(self).made = (*self.made, self)

    def eval(
        self,
        x,
        batch_size=8,
        resample=True,
        channels=None,
        channel_axis=None,
        z_axis=None,
        normalize=True,
        invert=False,
        rescale=None,
        diameter=None,
        flow_threshold=0.4,
        cellprob_threshold=0.0,
        do_3D=False,
        anisotropy=None,
        flow3D_smooth=0,
        stitch_threshold=0.0,
        min_size=15,
        max_size_fraction=0.4,
        niter=None,
        augment=False,
        tile_overlap=0.1,
        bsize=256,
        compute_masks=True,
        progress=None,
    ):
        assert isinstance(x, np.ndarray) and x.ndim == 2
        self.asked.append(max_size_fraction)
        masks = np.where(MASKS * 0 + x[0, 0] > 0, MASKS, 0).astype(np.uint16)
        return masks, [np.zeros(3)] * 4, np.zeros(256)


@pytest.fixture
def models(monkeypatch):
    package, module = ModuleType("cellpose"), ModuleType("cellpose.models")
    module.CellposeModel, package.models = CellposeModel, module
    monkeypatch.setattr(CellposeModel, "made", ())
    monkeypatch.setitem(sys.modules, "cellpose", package)
    monkeypatch.setitem(sys.modules, "cellpose.models", module)
    return module


def test_objects_are_numbered_without_a_gap(models):
    segmenter = load_cellpose_segmenter()
    labels = segmenter.image_to_labels(np.full((3, 3), 7, np.uint8))
    assert labels.tolist() == [[0, 1, 1], [0, 0, 2], [3, 3, 2]]
    assert segmenter.model.gpu is True
    assert load_cellpose_segmenter(gpu=False).model.gpu is False


def test_large_objects_are_not_dropped_and_the_model_is_loaded_once(models):
    segmenter = load_cellpose_segmenter()
    found = images_to_objects(np.array([[[1] * 3] * 3, [[0] * 3] * 3], np.uint8), segmenter)
    assert found.counts().tolist() == [3, 0]
    assert found.coverage.tolist() == [6 / 9, 0]
    assert len(CellposeModel.made) == 1
    assert CellposeModel.made[0].asked == [1.0, 1.0]


def test_the_settings_choose_the_segmenter(models):
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32), dtype=np.uint8)
    assert isinstance(name_to_segmenter("cellpose", images).model, CellposeModel)
    chosen = name_to_segmenter("contrast", images)
    assert isinstance(chosen, ContrastSegmenter) and chosen == fit_segmenter(images)


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cellpose", None)
    with pytest.raises(UserError, match="pip install 'cellpose"):
        load_cellpose_segmenter()
    images = np.zeros((1, 32, 32), np.uint8)
    assert isinstance(name_to_segmenter("contrast", images), ContrastSegmenter)


def test_an_older_cellpose_is_refused(models):
    models.Cellpose = object
    with pytest.raises(UserError, match="cellpose 4, found an older one"):
        load_cellpose_segmenter()
