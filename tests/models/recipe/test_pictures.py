from __future__ import annotations

import numpy as np

from pipeline_lib.models.recipe.captions import vary_caption
from pipeline_lib.models.recipe.pictures import (
    pictures_to_crops,
    simulate_pictures,
    turn_pictures,
)
from pipeline_lib.models.recipe.storage import make_shard, read_shards, shard_ranges


def test_a_picture_depends_on_its_number_alone(recipe, pictures):
    later = simulate_pictures(recipe.pictures, 5, 7)
    np.testing.assert_array_equal(later.images, pictures.images[5:7])
    assert later.captions == pictures.captions[5:7]


def test_shards_hold_all_pictures_in_order(recipe, pictures, tmp_path):
    paths = [make_shard(recipe.pictures, tmp_path, *r) for r in shard_ranges(recipe.pictures)]
    read = read_shards(paths)
    np.testing.assert_array_equal(read.images, pictures.images)
    assert (read.captions, read.kinds) == (pictures.captions, pictures.kinds)


def test_crops_reach_black_and_white_backgrounds(pictures):
    crops = pictures_to_crops(pictures.images, 400, 32, np.random.default_rng(0))
    medians = np.median(crops, axis=(1, 2))
    assert crops.shape == (400, 32, 32)
    assert (medians > 230).sum() > 20
    assert (medians < 25).sum() > 8


def test_crops_vary_in_noise(pictures):
    crops = pictures_to_crops(pictures.images, 400, 32, np.random.default_rng(0)).astype(float)
    noise = np.abs(np.diff(np.diff(crops, axis=1), axis=2)).mean((1, 2))
    assert np.percentile(noise, 90) > 8 * np.percentile(noise, 10)


def test_the_views_of_a_picture_are_eight_different_ways(pictures):
    views = np.stack([turn_pictures(pictures.images, 3, view) for view in range(8)])
    np.testing.assert_array_equal(views[0], pictures.images)
    for picture in views.transpose(1, 0, 2, 3):
        assert len({view.tobytes() for view in picture}) == 8
        assert len({np.sort(view, axis=None).tobytes() for view in picture}) == 1


def test_captions_are_said_in_the_words_of_prompts_too():
    caption = "a grayscale oblique illumination microscopy image of few cells, in focus"
    generator = np.random.default_rng(0)
    said = {vary_caption(caption, generator) for _ in range(200)}
    assert "a greyscale oblique microscopy image of few cells, in focus" in said
    assert caption in said
    assert "few cells, in focus" in said
