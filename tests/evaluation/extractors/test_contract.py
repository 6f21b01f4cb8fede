from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline_lib.evaluation.extractors.contract import (
    extractor_to_description,
    images_to_features,
    iterate_features,
    place_extractor,
)
from pipeline_lib.settings.base import UserError
from tests.evaluation.extractors.toy_extractors import GOOD

ROOT = Path(__file__).resolve().parents[3]


def test_features_are_those_of_the_network_on_prepared_images_in_order():
    images = np.random.default_rng(0).integers(0, 256, (7, 20, 30), dtype=np.uint8)
    features = images_to_features(GOOD, images, batch_size=3)
    expected = np.stack([images.mean(axis=(1, 2)), images.std(axis=(1, 2), ddof=1)], axis=1)
    assert features.dtype == np.float32
    assert features == pytest.approx(expected, rel=1e-5)
    assert [len(batch) for batch in iterate_features(GOOD, images, 3)] == [3, 3, 1]


def test_a_network_without_parameters_is_placed():
    assert place_extractor(GOOD, "cpu").device == torch.device("cpu")
    meta = place_extractor(GOOD, "meta")
    assert meta.device == torch.device("meta")


def test_placing_switches_off_training_and_gradients():
    network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout(0.5))
    placed = place_extractor(
        type(GOOD)("a", "plug-in", 2, "0" * 64, "-", torch.clone, network), "cpu"
    )
    assert not placed.network.training
    assert not any(weights.requires_grad for weights in placed.network.parameters())


def test_the_caller_s_images_stay_as_they_are():
    def spoil(images):
        return images.zero_().to(torch.float32)

    images = np.full((2, 8, 8), 7, np.uint8)
    spoiling = type(GOOD)("a", "plug-in", 2, "0" * 64, "-", spoil, GOOD.network)
    images_to_features(spoiling, images)
    assert (images == 7).all()


def test_a_description_says_what_made_features():
    assert extractor_to_description(GOOD) == {
        "extractor": "mean-and-spread",
        "family": "plug-in",
        "dimensions": 2,
        "weights_sha256": "ab" * 32,
        "preprocessing": "grey levels as they are",
    }


def test_no_images_have_no_features():
    assert images_to_features(GOOD, np.zeros((0, 8, 8), np.uint8)).shape == (0, 2)


@pytest.mark.parametrize(
    "images",
    [np.zeros((1, 8, 8), np.uint16), np.zeros((8, 8), np.uint8), np.zeros((1, 8, 8, 3), np.uint8)],
    ids=["16-bit", "single", "colour"],
)
def test_refuses_all_but_mapped_8_bit_stacks(images):
    with pytest.raises(UserError, match=r"8-bit grey images .* intensity\.json"):
        images_to_features(GOOD, images)


def test_importing_the_extractors_does_not_import_transformers():
    folder = ROOT / "pipeline_lib/evaluation/extractors"
    names = [f"pipeline_lib.evaluation.extractors.{path.stem}" for path in folder.glob("[a-z]*.py")]
    code = f"import sys, {', '.join(names)}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert set(names) <= set(done.stdout.split())
    assert {"transformers", "diffusers"}.isdisjoint(done.stdout.split())
