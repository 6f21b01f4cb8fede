"""One place is found again whatever shifted or hid it, and other places of a culture are not."""

from __future__ import annotations

import time
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from pipeline_lib.imaging.near_duplicates import planes_to_near_duplicates

REAL = Path(__file__).parents[2].parent / "shared" / "data"
DUST = (100, 300)


def scene(seed, cells, side=512, size=10):
    """Return the light that rings of cells, and a speck of dust, let pass."""
    draw = np.random.default_rng(seed)
    light = np.ones((side, side))
    places, radii = draw.uniform(0, side, (cells, 2)), draw.uniform(size, 2 * size, cells)
    for (cy, cx), radius in zip(places, radii, strict=True):
        top, left = (max(0, int(place - 2 * size - 3)) for place in (cy, cx))
        window = light[top : int(cy + 2 * size + 3), left : int(cx + 2 * size + 3)]
        y, x = np.mgrid[: window.shape[0], : window.shape[1]]
        window -= 0.2 * (np.abs(np.hypot(y + top - cy, x + left - cx) - radius) < 2)
    return light.clip(0.1)


def photograph(light, seed, counts=1000, slope=0.0):
    """Return counts with shot noise under a lamp, with dust that stays at its place."""
    y, x = np.mgrid[: light.shape[0], : light.shape[1]]
    lamp = counts * (1 + slope * x / light.shape[1])
    dust = 1 - 0.3 * (np.hypot(y - DUST[0], x - DUST[1]) < 6)
    return np.random.default_rng(seed).poisson(light * lamp * dust).astype(np.uint16)


@pytest.mark.parametrize("cells", [15, 60])
@pytest.mark.parametrize("shift", [(0, 0), (3, -7), (60, 20), (-200, 0)])
def test_a_place_imaged_again_is_found_with_its_shift(cells, shift):
    wide = scene(1, 4 * cells, side=1024)
    dy, dx = shift
    first = photograph(wide[256:768, 256:768], 2)
    second = photograph(wide[256 + dy : 768 + dy, 256 + dx : 768 + dx], 3, counts=300, slope=0.3)
    other = photograph(scene(4, cells), 5)
    (found,) = planes_to_near_duplicates([first, other, second])
    assert (found.first, found.second) == (0, 2) and found.correlation > 0.75
    assert abs(found.dy - dy) <= 4 and abs(found.dx - dx) <= 4


def test_cells_that_creep_are_found_and_their_inverted_contrast_too():
    still = scene(1, 40)
    y, x = np.mgrid[:512, :512]
    crept = ndimage.map_coordinates(
        still, [y + 1.5 * np.sin(x / 60), x + 1.5 * np.cos(y / 50)], order=1
    )
    below = photograph(2 - still, 6)
    found = planes_to_near_duplicates([photograph(still, 2), photograph(crept, 3), below])
    assert [(one.first, one.second) for one in found] == [(0, 1), (0, 2), (1, 2)]
    assert found[0].correlation > 0.6 and found[1].correlation < -0.8


@pytest.mark.parametrize("cells", [1, 3, 10, 60, 150])
def test_other_places_of_one_culture_are_no_near_duplicates(cells):
    """They share lamp and dust."""
    planes = [photograph(scene(seed, cells), seed, slope=0.3) for seed in range(12)]
    assert planes_to_near_duplicates(planes) == []


def test_planes_of_other_sides_and_types_are_compared():
    light = scene(1, 60)
    small = (photograph(light, 3)[100:400, 40:440] / 5).astype(np.float32)
    (found,) = planes_to_near_duplicates([photograph(light, 2), small])
    assert (found.dy, found.dx) == (100, 40)
    assert planes_to_near_duplicates([small]) == []
    flat = np.full((64, 64), 7, np.uint8)
    assert planes_to_near_duplicates([flat, flat]) == []


def demo():
    package = find_spec("ndev_sampledata")
    if package is None:
        pytest.skip("ndev-sampledata is not installed")
    folder = Path(next(iter(package.submodule_search_locations))) / "samples"
    return tifffile.imread(folder / "scratch-assay-labeled-10T-2Ch.tiff")[1]


def test_the_demo_image():
    """Parts of one picture are no near-duplicates of one another, but of what they share are."""
    first, *_, last = demo()
    for frame in (first, last):
        tiles = [frame[y : y + 100, x : x + 100] for y in (0, 110) for x in range(0, 476, 110)]
        assert planes_to_near_duplicates(tiles) == []
    shifted = [first[:, x : x + 300] for x in (0, 40, 80)]
    found = planes_to_near_duplicates(shifted)
    assert [(one.first, one.second, one.dx) for one in found] == [
        (one, other, pytest.approx(40 * (other - one), abs=3))
        for one, other in combinations(range(3), 2)
    ]  # fmt: skip


def test_the_real_ecoli_images_are_of_different_places():
    paths = sorted((REAL / "ecoli_brightfield" / "images").glob("*.tif"))
    if not paths:
        pytest.skip("the real E. coli images are not here")
    assert planes_to_near_duplicates([tifffile.imread(path) for path in paths]) == []


def test_a_hundred_fields_take_seconds():
    draw = np.random.default_rng(0)
    smooth = ndimage.gaussian_filter(draw.standard_normal((1200, 1200)).astype(np.float32), 2)
    places = draw.integers(0, 600, (100, 2))
    planes = [smooth[y : y + 512, x : x + 512] for y, x in places]
    start = time.process_time()
    assert planes_to_near_duplicates(planes)
    assert time.process_time() - start < 30
