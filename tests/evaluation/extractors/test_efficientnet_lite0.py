from __future__ import annotations

import time

import numpy as np
import pytest
import skimage.data
import torch
from torch.nn import functional

from pipeline_lib.evaluation.extractors.contract import images_to_features
from pipeline_lib.evaluation.extractors.efficientnet_lite0 import EFFICIENTNET_LITE0_SHA256
from pipeline_lib.evaluation.extractors.loading import load_extractor
from pipeline_lib.settings.base import UserError
from tests.evaluation.shards import draw_fields


@pytest.fixture(scope="module")
def extractor():
    return load_extractor("efficientnet-lite0")


def test_features_are_those_of_the_network_with_its_published_weights(extractor):
    # Class 967 of ImageNet is espresso: wrong weights, scaling or resizing would not see it.
    photograph = skimage.data.coffee().mean(axis=-1).round().astype(np.uint8)[None, :, 100:500]
    features = torch.from_numpy(images_to_features(extractor, photograph))
    assert features.shape == (1, 1280)
    assert extractor.network.network._fc(features).argmax().item() == 967


def test_scores_are_named_after_the_extractor(extractor):
    assert extractor.name == "efficientnet-lite0"
    assert extractor.weights_sha256 == EFFICIENTNET_LITE0_SHA256
    assert "224 x 224" in extractor.preprocessing


def test_batches_do_not_change_features(extractor):
    images = draw_fields(0, 3, 64)
    whole = images_to_features(extractor, images, batch_size=3)
    single = images_to_features(extractor, images, batch_size=2)
    assert np.abs(whole - single).max() < 1e-4
    assert whole.dtype == np.float32


def test_no_images_have_no_features(extractor):
    assert images_to_features(extractor, np.zeros((0, 64, 64), np.uint8)).shape == (0, 1280)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((1, 64, 64), np.uint16),
        np.zeros((1, 64, 64), np.float32),
        np.zeros((1, 64, 64), bool),
        np.zeros((64, 64), np.uint8),
        np.zeros((1, 64, 64, 3), np.uint8),
    ],
    ids=["16-bit", "float", "mask", "single", "colour"],
)
def test_refuses_all_but_mapped_8_bit_stacks(extractor, images):
    with pytest.raises(UserError, match=r"8-bit grey images .* intensity\.json"):
        images_to_features(extractor, images)


def test_preparation_keeps_grey_levels_and_range(extractor):
    flat = torch.full((1, 48, 48), 200, dtype=torch.uint8)
    prepared = extractor.prepare(flat)
    assert prepared.shape == (1, 3, 224, 224)
    assert prepared.numpy() == pytest.approx(np.full((1, 3, 224, 224), 73 / 128), abs=1e-5)
    edges = torch.zeros((1, 48, 48), dtype=torch.uint8)
    edges[:, 24:] = 255
    prepared = extractor.prepare(edges)
    assert prepared.min() >= -127 / 128
    assert prepared.max() <= 1


def test_features_are_bit_for_bit_those_of_the_plain_formula(extractor):
    images = torch.from_numpy(draw_fields(2, 3, 64))
    grey = images[:, None].to(torch.float32)
    resized = functional.interpolate(grey, (224, 224), mode="bicubic", antialias=True)
    normalised = ((resized.clamp(0, 255) - 127.0) / 128.0).expand(-1, 3, -1, -1)
    prepared = normalised.contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        maps = extractor.network.network.extract_features(prepared)
    expected = maps.mean(dim=(2, 3)).numpy()
    assert np.array_equal(images_to_features(extractor, images.numpy()), expected)


def test_an_image_takes_a_fraction_of_a_second(extractor):
    images = draw_fields(1, 8, 64)
    begin = time.process_time()
    images_to_features(extractor, images)
    assert time.process_time() - begin < 4
