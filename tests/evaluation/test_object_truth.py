"""Measures of objects beside the truth of simulated scenes."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from skimage.segmentation import expand_labels

from pipeline_lib.evaluation.object_comparisons import (
    objects_to_distance,
    objects_to_effect,
    objects_to_shift,
    values_to_effect,
)
from pipeline_lib.evaluation.object_shapes import centroids_to_nearest, labels_to_eccentricities
from pipeline_lib.evaluation.objects import fit_segmenter, images_to_objects
from pipeline_lib.optics import draw_scene_settings
from pipeline_lib.optics.bodies import Blob, Body, Capsule
from pipeline_lib.optics.simulation import (
    Objects,
    maps_to_intensity,
    objects_to_maps,
    settings_to_grid,
)

SIDE, PIXEL_UM, RADIUS_UM = 160, 0.25, 1.5
CELL = Body((Blob(np.full(512, RADIUS_UM), 0.12),))
RODS = tuple(Body((Capsule(6.0, 0.9, angle, 0.12),)) for angle in (0.3, 1.2, 2.4))
DEPTHS = (-3.0, -1.0, 1.0, 3.0)


@cache
def scene(defocus):
    """Return optics without anything that varies, some depths of field out of focus."""
    drawn = draw_scene_settings(
        (3, 0), "beads", (SIDE, SIDE), illumination="brightfield", pixel_size_um=PIXEL_UM
    )
    return replace(drawn, defocus_um=defocus * drawn.depth_of_field_um)


def picture(seed, bodies, points, defocus=1.0):
    """Image bodies in turn at points in pixels; return grey levels and the truth's labels."""
    settings = scene(defocus)
    grid = settings_to_grid(settings)
    placed = [
        bodies[number % len(bodies)].at(tuple(PIXEL_UM * np.asarray(point)))
        for number, point in enumerate(points)
    ]
    path, absorption, labels = objects_to_maps(Objects(placed, None, []), grid)
    field = tuple(slice(margin, margin + SIDE) for margin in grid.margin)
    intensity = maps_to_intensity(path, absorption, grid, settings)[field]
    noise = np.random.default_rng(seed).normal(0, 2, intensity.shape)
    grey = np.rint(128 * intensity + noise).clip(0, 255).astype(np.uint8)
    step = grid.oversampling
    return grey, labels[step // 2 :: step, step // 2 :: step][field]


def pictures(layouts, bodies=(CELL,), defocus=1.0):
    """Image one layout of points after another."""
    shown = [picture(seed, bodies, points, defocus) for seed, points in enumerate(layouts)]
    return np.stack([grey for grey, _ in shown]), [labels for _, labels in shown]


def spread(seed, count, spacing=38.0):
    """Return points of a lattice, a pixel or so off it, pixels."""
    places = np.stack(np.meshgrid(*[np.arange(22.0, SIDE - 15, spacing)] * 2), axis=-1)
    generator = np.random.default_rng(seed)
    chosen = generator.permutation(places.reshape(-1, 2))[:count]
    return chosen + generator.uniform(-1, 1, chosen.shape)


def pairs(seed, count, distance=24.0):
    """Return as many points, two and two near each other."""
    middles = spread(seed, count // 2, 58.0)
    angles = np.random.default_rng(seed).uniform(0, np.pi, (len(middles), 1))
    half = distance / 2 * np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    return np.concatenate([middles + half, middles - half])


@pytest.fixture(scope="module")
def reference():
    """Eight pictures of eight round cells each, apart from each other."""
    images, _ = pictures([spread(seed, 8) for seed in range(8)])
    segmenter = fit_segmenter(images)
    return images_to_objects(images, segmenter), segmenter


def test_the_reference_is_seen_as_it_is(reference):
    objects, _ = reference
    assert objects.counts().tolist() == [8] * 8
    assert not objects.at_rim.any()
    assert objects.eccentricities.max() < 0.5


@pytest.mark.parametrize("count", [3, 5, 12])
def test_counts_and_density_are_the_truth(reference, count):
    images, _ = pictures([spread(seed, count) for seed in range(20, 26)])
    found = images_to_objects(images, reference[1])
    assert found.counts().tolist() == [count] * 6
    ratio = found.coverage.mean() / reference[0].coverage.mean()
    assert ratio == pytest.approx(count / 8, rel=0.15)
    effect = values_to_effect(reference[0].counts(), found.counts())
    assert effect == np.sign(count - 8)


def test_rods_are_as_eccentric_as_they_are(reference):
    images, labels = pictures([spread(seed, 8) for seed in range(30, 36)], RODS)
    found = images_to_objects(images, reference[1])
    truth = np.concatenate([labels_to_eccentricities(one) for one in labels])
    assert truth.mean() > 0.9
    # Blur and the halo widen a rod on all sides, which makes it rounder than it is.
    assert found.eccentricities.mean() == pytest.approx(truth.mean(), abs=0.15)
    sides = (one.whole_by_image(one.eccentricities) for one in (reference[0], found))
    sides = tuple(sides)
    round_mean = np.concatenate(list(sides[0])).mean()
    assert objects_to_distance(*sides) == pytest.approx(truth.mean() - round_mean, abs=0.15)
    assert objects_to_effect(*sides) == 1


def test_neighbours_of_pairs_are_as_near_as_they_are(reference):
    layouts = [pairs(seed, 8) for seed in range(40, 46)]
    images, _ = pictures(layouts)
    found = images_to_objects(images, reference[1])
    assert found.counts().tolist() == [8] * 6
    truth = np.concatenate([centroids_to_nearest(points) for points in layouts])
    assert found.nearest_neighbours.mean() == pytest.approx(truth.mean(), rel=0.05)
    even = np.concatenate([centroids_to_nearest(spread(seed, 8)) for seed in range(8)])
    sides = [one.by_image(one.nearest_neighbours) for one in (reference[0], found)]
    assert objects_to_distance(*sides) == pytest.approx(even.mean() - truth.mean(), rel=0.1)
    assert objects_to_shift(*sides) < 0 and objects_to_effect(*sides) == -1


def around_to_inside(image, labels):
    """Return the mean of three pixels around the bodies less that of the bodies."""
    around = (expand_labels(labels, 3) > 0) & (labels == 0)
    return float(image[around].mean() - image[labels > 0].mean())


def test_rings_tell_the_side_of_the_focus():
    """In front of focus a cell is dark within a bright halo, behind it bright within a dark one."""
    rings, truths = [], []
    for defocus in DEPTHS:
        images, labels = pictures([spread(seed, 8) for seed in range(50, 54)], defocus=defocus)
        found = images_to_objects(images, fit_segmenter(images))
        assert found.counts().tolist() == [8] * 4
        rings.append(found.ring_contrasts.mean())
        truths.append(np.mean([around_to_inside(*one) for one in zip(images, labels, strict=True)]))
    assert min(truths[:2]) > 20 and max(truths[2:]) < -20
    assert (np.sign(rings) == np.sign(truths)).all()
    # The outer half also holds background, which makes less of the contrast.
    shares = np.array(rings) / np.array(truths)
    assert (shares > 0.25).all() and (shares < 1).all()
