from __future__ import annotations

import numpy as np

from pipeline_lib.models.recipe.captions import vary_caption
from pipeline_lib.models.recipe.pictures import (
    WAYS,
    image_to_noise,
    leave_out_noisiest,
    pictures_to_crops,
    simulate_pictures,
    turn_picture,
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


def test_a_picture_has_eight_different_ways(pictures):
    for picture in pictures.images:
        views = [turn_picture(picture, way) for way in range(WAYS)]
        np.testing.assert_array_equal(views[0], picture)
        assert len({view.tobytes() for view in views}) == WAYS
        assert len({np.sort(view, axis=None).tobytes() for view in views}) == 1


def test_pictures_are_stretched_and_say_nothing_of_their_background(pictures):
    ends = np.percentile(pictures.images, [0.2, 99.8], axis=(1, 2), method="inverted_cdf")
    np.testing.assert_array_equal(ends[0], 0)
    np.testing.assert_array_equal(ends[1], 255)
    assert not any("background" in c and "empty" not in c for c in pictures.captions)


def test_noise_is_measured_beside_structure():
    rows, columns = np.mgrid[:128, :128]
    structure = 1000 * np.sin(rows / 9) * np.cos(columns / 13)
    noise = np.random.default_rng(0).normal(0, 30, structure.shape)
    assert abs(image_to_noise(structure + noise) - 30) < 1.5
    assert image_to_noise(structure) < 5


def test_the_noisiest_are_left_out_and_the_others_keep_their_order(pictures):
    kept = leave_out_noisiest(pictures, 0.25)
    assert len(kept.images) == len(kept.captions) == len(kept.kinds) == 18
    assert kept.noise.max() <= np.sort(pictures.noise)[17]
    places = [pictures.captions.index(caption) for caption in kept.captions]
    assert places == sorted(places)
    assert len(leave_out_noisiest(pictures, 0.0).images) == 24


def test_captions_are_said_in_the_words_of_prompts_too():
    caption = "a grayscale oblique illumination microscopy image of few cells, in focus"
    generator = np.random.default_rng(0)
    said = {vary_caption(caption, generator) for _ in range(200)}
    assert "a greyscale oblique microscopy image of few cells, in focus" in said
    assert caption in said
    assert "few cells, in focus" in said
