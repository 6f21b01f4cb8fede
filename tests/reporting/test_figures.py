import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays
from PIL import Image
from skimage.transform import downscale_local_mean

from pipeline_lib.evaluation.intensities import images_to_grey_shares
from pipeline_lib.evaluation.spectra import images_to_mean_spectrum
from pipeline_lib.frames import read_frame
from pipeline_lib.reporting.figures import (
    COLOURS,
    distances_to_png,
    histograms_to_png,
    image_to_png,
    running_mean,
    shrink,
    similarities_to_png,
    spectra_to_png,
    training_to_png,
    transfer_curves_to_png,
)
from pipeline_lib.reporting.object_figures import panels_to_png
from pipeline_lib.reporting.objects import objects_to_panels
from pipeline_lib.reporting.study_figures import Point, points_to_png, study_to_png
from pipeline_lib.reporting.tables import Measured
from tests.reporting.conftest import draw_images, write_objects


def png_to_image(png):
    return np.asarray(Image.open(io.BytesIO(png)))


@given(arrays(np.uint8, (13, 9)))
def test_pictures_keep_every_grey_value(image):
    np.testing.assert_array_equal(png_to_image(image_to_png(image)), image)


def test_small_pictures_are_not_shrunk():
    images = draw_images(2, 0)
    assert shrink(images, 64) is images


def test_large_pictures_become_block_means():
    images = draw_images(3, 0, side=65)
    expected = downscale_local_mean(images[:, :63, :63].astype(float), (1, 3, 3))
    np.testing.assert_allclose(shrink(images, 30), expected, atol=0.501)
    assert shrink(images, 30).dtype == np.uint8


def test_colours_are_shrunk_each_by_itself():
    planes = [draw_images(2, seed, side=64) for seed in range(3)]
    together = shrink(np.stack(planes, axis=-1), 32)
    apart = np.stack([shrink(plane, 32) for plane in planes], axis=-1)
    np.testing.assert_array_equal(together, apart)


def test_running_mean_keeps_a_straight_line_and_halves_noise():
    steps = np.arange(200.0)
    at, mean = running_mean(steps, 3 * steps)
    np.testing.assert_allclose(mean, 3 * at)
    noise = np.random.default_rng(0).normal(size=200)
    assert running_mean(steps, noise)[1].std() < 0.5 * noise.std()
    assert running_mean(np.array([5]), np.array([0.3]))[1] == pytest.approx([0.3])


def test_mean_spectrum_does_not_depend_on_chunks_and_sees_softness():
    sharp, soft = draw_images(20, 1, 0.7), draw_images(20, 1, 2.5)
    halves = [images_to_mean_spectrum(part) for part in (sharp[:10], sharp[10:])]
    np.testing.assert_allclose(images_to_mean_spectrum(sharp), np.mean(halves, axis=0))
    assert (images_to_mean_spectrum(soft)[-16:] < images_to_mean_spectrum(sharp)[-16:]).all()


def test_grey_shares_add_up():
    assert images_to_grey_shares(draw_images(3, 0)).sum() == pytest.approx(1)


def test_charts_are_drawn_alike_twice(tmp_path):
    sets = {"tuned": Measured(0.02, 0.01, 0.03), "vae": Measured(-0.001)}
    spectrum, shares = np.linspace(9, 1, 32), np.full(256, 1 / 256)
    curve = {"grey": [90.0, 120.0, 150.0], "variance": [20.0, 30.0, 40.0]}
    curves = {"real": curve, "decoded": {"grey": [], "variance": []}, "restored": curve}
    write_objects(tmp_path / "objects.csv", ("cells",))
    panels = objects_to_panels(read_frame(tmp_path / "objects.csv"), "cells")
    charts = [
        lambda: transfer_curves_to_png(curves),
        lambda: distances_to_png({"Kernel distance": sets, "Frechet distance": sets}),
        lambda: spectra_to_png({"real": spectrum, "tuned": spectrum / 2}),
        lambda: histograms_to_png({"real": shares, "untuned": shares}),
        lambda: training_to_png(np.arange(30), {"subject": np.linspace(1, 0.5, 30)}),
        lambda: study_to_png("Kernel distance", [("one", sets), ("two", sets)]),
        lambda: points_to_png("Kernel distance", "tiles", [Point("one", 5, sets)]),
        lambda: similarities_to_png({"tuned": shares}, {"copy": 0.8, "resembles": 0.6}),
        lambda: panels_to_png(panels),
    ]
    for chart in charts:
        png = chart()
        assert png == chart()
        assert png_to_image(png).std() > 5


def drawn_pixels(png, colour):
    """Count the pixels of nearly one colour, given in hexadecimal."""
    wanted = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    return int((np.abs(png_to_image(png)[..., :3].astype(int) - wanted).max(axis=2) < 24).sum())


def test_both_thresholds_are_drawn_on_the_similarities():
    values = {"floor": np.linspace(0.1, 0.6, 50), "tuned": np.linspace(0.2, 0.7, 50)}
    counts = [
        drawn_pixels(similarities_to_png(values, thresholds), COLOURS["untuned"])
        for thresholds in ({"copy": np.nan}, {"copy": 0.9}, {"copy": 0.9, "resembles": 0.65})
    ]
    assert counts[0] == 0 and counts[0] < counts[1] < counts[2]


def test_the_floors_are_a_band_behind_the_points():
    tuned = {"tuned": Measured(0.5, 0.4, 0.6)}
    without = points_to_png("d", "tiles", [Point("one", 5, tuned), Point("two", 50, tuned)])
    floor = {**tuned, "floor": Measured(0.1, 0.05, 0.2)}
    with_band = points_to_png("d", "tiles", [Point("one", 5, floor), Point("two", 50, floor)])
    assert drawn_pixels(with_band, "#dedede") > 20 * drawn_pixels(without, "#dedede") + 5000


def test_runs_without_a_distance_are_not_drawn():
    sets = {"tuned": Measured(0.5)}
    drawn = [Point("one", 5, sets), Point("two", 9, sets)]
    with_empty = [*drawn, Point("three", 2000, {"floor": Measured(0.1)})]
    assert points_to_png("d", "tiles", drawn) == points_to_png("d", "tiles", with_empty)


def test_interval_is_drawn_where_there_is_one():
    without = distances_to_png({"d": {"tuned": Measured(0.5), "untuned": Measured(1.0)}})
    with_one = distances_to_png({"d": {"tuned": Measured(0.5, 0.4, 0.6), "untuned": Measured(1.0)}})
    assert without != with_one
