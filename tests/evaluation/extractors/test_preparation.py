from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from pipeline_lib.evaluation.extractors.clip import CLIP_DEVIATION, CLIP_MEAN
from pipeline_lib.evaluation.extractors.preparation import (
    IMAGENET_DEVIATION,
    IMAGENET_MEAN,
    GreyResize,
    TensorFlowResize,
    resize_like_tensorflow,
)
from tests.evaluation.shards import draw_fields

IMAGENET = GreyResize(224, IMAGENET_MEAN, IMAGENET_DEVIATION)
CLIP = GreyResize(224, CLIP_MEAN, CLIP_DEVIATION)
WHOLE = {"size": {"height": 224, "width": 224}, "do_center_crop": False}
STATED = {"image_mean": IMAGENET_MEAN, "image_std": IMAGENET_DEVIATION}
PROCESSORS = {
    "dinov2": (IMAGENET, BitImageProcessorPil(**STATED, **WHOLE)),
    "dino": (IMAGENET, ViTImageProcessorPil(**STATED, resample=3)),
    "clip": (CLIP, CLIPImageProcessorPil()),
}


def process(processor, images):
    """Return what a processor of transformers makes of images replicated to colour."""
    colour = [np.repeat(image[:, :, None], 3, axis=2) for image in images]
    return np.asarray(processor(colour, return_tensors="np")["pixel_values"])


@pytest.mark.parametrize("family", PROCESSORS)
def test_equals_transformers_own_processor_where_nothing_is_resized(family):
    preparation, processor = PROCESSORS[family]
    images = draw_fields(0, 2, 224)
    prepared = preparation(torch.from_numpy(images)).numpy()
    assert prepared == pytest.approx(process(processor, images), abs=2e-6)


@pytest.mark.parametrize("family", PROCESSORS)
@pytest.mark.parametrize("side", [64, 128, 300, 512])
def test_equals_transformers_own_processor_but_for_its_rounding_to_grey_levels(family, side):
    preparation, processor = PROCESSORS[family]
    images = draw_fields(1, 2, side) // 2 + 64
    prepared = preparation(torch.from_numpy(images)).numpy()
    # The processors round to whole grey levels after the rows and again after the columns; the
    # greys keep off black and white, where they also cut between the two.
    level = 1 / 255 / np.array(preparation.deviation)[:, None, None]
    apart = np.abs(prepared - process(processor, images)) / level
    assert apart.max() < 1.5
    assert apart.mean() < 0.4


def test_dinov2_s_own_crop_would_lose_a_quarter_of_a_tile():
    own = BitImageProcessorPil(**STATED, size={"shortest_edge": 256})
    images = draw_fields(2, 1, 256)
    framed = images.copy()
    framed[:, 16:-16, 16:-16] = 0
    framed_apart = process(own, framed)
    assert np.ptp(framed_apart, axis=(-1, -2)).max() == 0
    assert IMAGENET(torch.from_numpy(framed)).std() > 0.1
    assert pytest.approx(0.234, abs=1e-3) == 1 - (224 / 256) ** 2


@given(st.integers(0, 255), st.integers(8, 60), st.integers(8, 60))
@settings(max_examples=20)
def test_flat_images_keep_their_grey_level(grey, height, width):
    flat = torch.full((1, height, width), grey, dtype=torch.uint8)
    expected = (grey / 255 - np.array(CLIP_MEAN)) / np.array(CLIP_DEVIATION)
    prepared = GreyResize(32, CLIP_MEAN, CLIP_DEVIATION)(flat)
    assert prepared.shape == (1, 3, 32, 32)
    assert prepared.numpy() == pytest.approx(
        np.broadcast_to(expected[:, None, None], (1, 3, 32, 32)), abs=1e-5
    )
    assert TensorFlowResize(29)(flat).numpy() == pytest.approx(
        np.full((1, 3, 29, 29), (grey - 128) / 128), abs=1e-6
    )


def test_overshoot_is_cut_at_black_and_white():
    edges = torch.zeros((1, 48, 48), dtype=torch.uint8)
    edges[:, 24:] = 255
    prepared = IMAGENET(edges).numpy()
    mean, deviation = np.array(IMAGENET_MEAN), np.array(IMAGENET_DEVIATION)
    assert prepared.max(axis=(0, 2, 3)) == pytest.approx((1 - mean) / deviation, abs=1e-5)
    assert prepared.min(axis=(0, 2, 3)) == pytest.approx(-mean / deviation, abs=1e-5)


def test_the_words_name_size_mean_and_deviation():
    assert "224 x 224, (x / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]" in IMAGENET.words
    assert GreyResize(8, (127.0,) * 3, (128.0,) * 3, 1.0).words.endswith("(x - 127) / 128")
    assert "TensorFlow 1" in TensorFlowResize(299).words


def slow_resize(image, size):
    """Return TensorFlow 1's bilinear resize, pixel by pixel as its kernel is defined."""
    height, width = image.shape
    out = np.zeros((size, size))
    for row in range(size):
        y = row * height / size
        top, bottom = math.floor(y), min(math.floor(y) + 1, height - 1)
        for column in range(size):
            x = column * width / size
            left, right = math.floor(x), min(math.floor(x) + 1, width - 1)
            above = image[top, left] * (1 - x + left) + image[top, right] * (x - left)
            below = image[bottom, left] * (1 - x + left) + image[bottom, right] * (x - left)
            out[row, column] = above * (1 - y + top) + below * (y - top)
    return out


@given(st.integers(1, 24), st.integers(1, 24), st.integers(1, 24), st.integers(0, 2**16))
@settings(max_examples=50)
def test_tensorflow_s_resize_equals_the_definition(height, width, size, seed):
    image = np.random.default_rng(seed).integers(0, 256, (height, width)).astype(np.float32)
    fast = resize_like_tensorflow(torch.from_numpy(image), size).numpy()
    # In float32 a place that is whole in the formula may come out just below it.
    assert fast == pytest.approx(slow_resize(image, size), abs=2e-3)


def test_tensorflow_s_resize_of_a_ramp_is_closed():
    ramp = torch.arange(64, dtype=torch.float32)[None].expand(48, -1)
    places = np.minimum(np.arange(299) * 64 / 299, 63)
    resized = resize_like_tensorflow(ramp, 299).numpy()
    assert resized == pytest.approx(np.broadcast_to(places, (299, 299)), abs=1e-4)
    centred = torch.nn.functional.interpolate(
        ramp[None, None], (299, 299), mode="bilinear", align_corners=False
    )
    assert np.abs(resized - centred.numpy()[0, 0]).max() > 0.3


def test_tensorflow_s_resize_does_not_smooth_what_it_shrinks():
    stripes = torch.zeros(8, 8)
    stripes[:, ::2] = 255
    assert resize_like_tensorflow(stripes, 4).unique().tolist() == [255]


def test_the_tensorflow_preparation_runs_from_minus_one_to_below_one():
    images = torch.tensor([[[0, 255], [0, 255]]], dtype=torch.uint8)
    prepared = TensorFlowResize(299)(images)
    assert prepared.shape == (1, 3, 299, 299)
    assert (prepared.min().item(), prepared.max().item()) == (-1, 127 / 128)
    assert torch.equal(prepared[:, 0], prepared[:, 2])
