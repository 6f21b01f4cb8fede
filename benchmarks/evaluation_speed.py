"""Time the evaluation: distances beside the usual programs', and the search for copies.

A table; exit 1 where a bar is missed. Ratios are taken within one run, so that a busy machine slows
both sides; the load is printed first. The search for copies is timed on parts, and its time for all
images and fields is extrapolated from them.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
import numpy.typing as npt
from bars import Figure, at_least, at_most, print_figures
from planted import VIEWS, cut_field
from scipy.linalg import sqrtm
from simulated import simulate_fields

from pipeline_lib.evaluation.copies import images_to_matches, pictures_to_fields
from pipeline_lib.evaluation.frechet_distance import features_to_frechet_distance
from pipeline_lib.evaluation.intervals import images_to_blocks, jackknife_estimate
from pipeline_lib.evaluation.kept_band import RINGS, KeptBand
from pipeline_lib.evaluation.kernel_distance import units_to_kernel_statistic
from pipeline_lib.imaging.views import apply_view

FloatArray = npt.NDArray[np.float64]
Images = npt.NDArray[np.uint8]

SYNTHETIC, REAL = 10_000, 50
SUBSETS = 100
RATIO_BAR = 20.0
AGREEMENT_BAR, DEVIATIONS_BAR, EXACT_BAR = 1e-3, 5.0, 1e-9
IMAGES, FIELDS, FIELD_SIDE, TILE = 10_000, 50, 2048, 128
MINUTES_BAR = 30.0
COMPONENTS, COARSE = 128, 4  # of the search's first step, to count its operations


def main() -> int:
    """Measure, print, and say whether every bar is kept."""
    arguments = parse_arguments()
    print(f"load of the last minute: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    parts = {"distances": distance_figures, "copies": copies_figures}
    chosen = arguments.part or list(parts)
    return print_figures(figure for name in chosen for figure in parts[name](arguments.quick))


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help="1280 features alone, smaller parts of the search")
    add("--part", action="append", choices=("distances", "copies"), help="only it")
    return parser.parse_args()


def processor_seconds(work: Callable[[], object]) -> float:
    """Return how long some work kept processors busy, all its threads together."""
    start = time.process_time()
    work()
    return time.process_time() - start


def seconds(work: Callable[[], object]) -> tuple[float, object]:
    """Return how long some work took, and what it returned."""
    start = time.perf_counter()
    found = work()
    return time.perf_counter() - start, found


# --- distances -----------------------------------------------------------------------------------


def distance_figures(quick: bool) -> Iterator[Figure]:
    """Yield the times of both distances from given features, beside the usual ways."""
    for dimensions in (1280,) if quick else (1280, 2048):
        generator = np.random.default_rng(dimensions)
        real = generator.normal(0, 1, (REAL, dimensions))
        synthetic = generator.normal(0.1, 1, (SYNTHETIC, dimensions))
        yield from kernel_figures(real, synthetic)
        yield from frechet_figures(real, synthetic)


def kernel_figures(real: FloatArray, synthetic: FloatArray) -> Iterator[Figure]:
    """Yield the kernel distance with its interval beside averages over random subsets."""
    name = f"KID, {SYNTHETIC:,} x {REAL}, D {real.shape[1]}"
    ours, estimate = seconds(lambda: features_to_interval(real, synthetic))
    theirs, values = seconds(lambda: features_to_subset_values(real, synthetic))
    error = values.std(ddof=1) / np.sqrt(len(values))
    yield Figure(f"{name}: with interval, seconds", ours)
    yield Figure(f"{name}: {SUBSETS} subsets of {REAL}, seconds", theirs)
    yield at_least(f"{name}: subsets over ours", theirs / ours, RATIO_BAR)
    # The subsets share the real images, so that their mean errs by the choice of synthetic ones.
    apart = abs(values.mean() - estimate.value) / error
    yield at_most(f"{name}: values apart, standard errors of the subsets", apart, DEVIATIONS_BAR)
    yield Figure(f"{name}: luck of the subsets, standard error over value", error / values.mean())
    # What gives the same value and interval: the formula anew without each unit.
    blocks = images_to_blocks(len(synthetic))
    once, value = seconds(lambda: features_to_plain_distance(real, synthetic, blocks))
    anew = once * (1 + len(real) + int(blocks.max()) + 1)
    yield Figure(f"{name}: all pairs by the formula, once, seconds", once)
    yield Figure(f"{name}: the same anew without each unit, extrapolated, seconds", anew)
    yield at_least(f"{name}: anew without each unit over ours", anew / ours, RATIO_BAR)
    apart = abs(value / estimate.value - 1)
    yield at_most(f"{name}: values by the formula apart, relative", apart, EXACT_BAR)


def features_to_interval(real: FloatArray, synthetic: FloatArray) -> object:
    """Return the kernel distance with its interval, each real image a field of its own."""
    blocks = images_to_blocks(len(synthetic))
    statistic = units_to_kernel_statistic(real, np.arange(len(real)), synthetic, blocks)
    return jackknife_estimate(statistic, (len(real), int(blocks.max()) + 1), 0.95)


def features_to_plain_distance(
    real: FloatArray, synthetic: FloatArray, blocks: npt.NDArray[np.integer]
) -> float:
    """Return the kernel distance as its formula stands, pairs of one block left out."""
    size = real.shape[1]
    own, other, across = (
        (x @ y.T / size + 1) ** 3
        for x, y in ((real, real), (synthetic, synthetic), (real, synthetic))
    )
    pairs = np.not_equal.outer(blocks, blocks)
    within = (own.sum() - own.trace()) / (len(own) * (len(own) - 1))
    return float(within + (other * pairs).sum() / pairs.sum() - 2 * across.mean())


def features_to_subset_values(real: FloatArray, synthetic: FloatArray) -> FloatArray:
    """Return the kernel distance of random subsets, as programs for KID average it."""
    generator, size = np.random.default_rng(0), min(len(real), len(synthetic))
    return np.array(
        [
            subset_to_distance(
                real[generator.choice(len(real), size, replace=False)],
                synthetic[generator.choice(len(synthetic), size, replace=False)],
            )
            for _ in range(SUBSETS)
        ]
    )


def subset_to_distance(x: FloatArray, y: FloatArray) -> float:
    """Return the unbiased distance of two sets of one size from their three whole kernels."""
    within_x, within_y, across = (
        (a @ b.T / x.shape[1] + 1) ** 3 for a, b in ((x, x), (y, y), (x, y))
    )
    pairs = len(x) * (len(x) - 1)
    within = within_x.sum() - within_x.trace() + within_y.sum() - within_y.trace()
    return within / pairs - 2 * across.mean()


def frechet_figures(real: FloatArray, synthetic: FloatArray) -> Iterator[Figure]:
    """Yield the Frechet distance beside the root of the product of two covariances."""
    name = f"Frechet, {SYNTHETIC:,} x {REAL}, D {real.shape[1]}"
    ours, value = seconds(lambda: features_to_frechet_distance(real, synthetic))
    theirs, usual = seconds(lambda: features_to_root_distance(real, synthetic))
    yield Figure(f"{name}: seconds", ours)
    yield Figure(f"{name}: by sqrtm, seconds", theirs)
    yield at_least(f"{name}: sqrtm over ours", theirs / ours, RATIO_BAR)
    yield at_most(f"{name}: values apart, relative", abs(value / usual - 1), AGREEMENT_BAR)


def features_to_root_distance(real: FloatArray, synthetic: FloatArray) -> float:
    """Return the Frechet distance as its formula stands."""
    means = np.square(real.mean(axis=0) - synthetic.mean(axis=0)).sum()
    first, second = np.cov(real, rowvar=False), np.cov(synthetic, rowvar=False)
    return float(means + np.trace(first + second - 2 * sqrtm(first @ second).real))


# --- copies --------------------------------------------------------------------------------------


def copies_figures(quick: bool) -> Iterator[Figure]:
    """Yield the times of parts of the search, and what they say of the whole.

    Processor time, which other programs hardly change: on a busy machine the clock's differences of
    two parts can come out below 0. Nothing but products of matrices and single images is spread
    over the processors, so that the clock lies between that time and its even share.
    """
    # From about five such fields on, the search looks into a fixed share of their windows.
    parts = list(product((64, 768), (5, 8))) if quick else list(product((256, 3072), (6, 16)))
    fields, images = search_inputs(max(number for _, number in parts))
    yield product_figure(fields[0].shape)
    taken = []
    for count, number in parts:
        band = KeptBand(np.ones(RINGS))
        prepared = pictures_to_fields(fields[:number], band)
        some = images[np.arange(count) % len(images)]
        clock = time.perf_counter()
        taken.append(processor_seconds(lambda a=some, b=prepared: images_to_matches(a, b, VIEWS)))
        clock = time.perf_counter() - clock
        yield Figure(f"copies: {count} images x {number} fields, processor seconds", taken[-1])
        yield Figure(f"copies: {count} images x {number} fields, seconds by the clock", clock)
    names = ("start", "an image", "a field", "an image and field")
    costs = parts_to_costs(parts, taken)
    for name, cost in zip(names, costs, strict=True):
        yield Figure(f"copies: fitted to these, processor seconds for {name}", cost)
    known = bool(np.all(costs[1:] > 0))
    whole = float(costs @ numbers_to_terms(IMAGES, FIELDS)) / 60 if known else float("nan")
    name = f"copies: {IMAGES:,} images x {FIELDS} fields, extrapolated"
    yield Figure(f"{name}, minutes if shared evenly by two processors", whole / 2)
    yield at_most(f"{name}, minutes of one processor", whole, MINUTES_BAR)


def search_inputs(number: int) -> tuple[list[Images], Images]:
    """Return fields, views of simulated ones, and images that are no copies of them."""
    simulated = simulate_fields("rod bacteria", 61, -(-number // len(VIEWS)) + 1, FIELD_SIDE)
    fields = [apply_view(one, view) for one in simulated[1:] for view in VIEWS]
    return fields[:number], cut_field(simulated[0], TILE)


def product_figure(shape: tuple[int, int]) -> Figure:
    """Yield how fast this machine multiplies templates with windows, as the search's first step."""
    coarse = [(length + 2 * (TILE // 8)) // COARSE - TILE // COARSE + 1 for length in shape]
    windows = coarse[0] * coarse[1]
    generator = np.random.default_rng(0)
    templates = generator.standard_normal((64, COMPONENTS), np.float32)
    others = generator.standard_normal((windows, COMPONENTS), np.float32)
    taken = min(seconds(lambda: templates @ others.T)[0] for _ in range(5))
    speed = 2 * len(templates) * COMPONENTS * windows / taken / 1e9
    name = f"copies: product of 64 templates and {windows:,} windows, GFLOP/s"
    return Figure(name, speed)


def numbers_to_terms(images: int, fields: int) -> FloatArray:
    """Return what the time of a search is taken to grow with."""
    return np.array([1.0, images, fields, images * fields])


def parts_to_costs(parts: list[tuple[int, int]], taken: list[float]) -> FloatArray:
    """Return the cost of each term from four parts."""
    return np.linalg.solve(np.array([numbers_to_terms(*part) for part in parts]), taken)


if __name__ == "__main__":
    sys.exit(main())
