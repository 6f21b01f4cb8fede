"""Time the evaluation: distances beside the usual programs', and the search for copies.

A table; exit 1 where a bar is missed. Ratios are taken within one run, so that a busy machine slows
both sides; the load is printed first. The search for copies is run whole, on as many processors as
products of matrices are given.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator

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
FEWER = 1000, 10
MINUTES_BAR = 10.0


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
    add("--quick", action="store_true", help="1280 features alone, a smaller search")
    add("--part", action="append", choices=("distances", "copies"), help="only it")
    return parser.parse_args()


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
    """Yield how long all images are looked for in all fields, the fields' preparation included."""
    count, number = FEWER if quick else (IMAGES, FIELDS)
    fields, images = search_inputs(number)
    some = images[np.arange(count) % len(images)]

    def search() -> None:
        images_to_matches(some, pictures_to_fields(fields, KeptBand(np.ones(RINGS))), VIEWS)

    start = time.process_time()
    clock = seconds(search)[0] / 60
    name = f"copies: {count:,} images x {number} fields"
    yield Figure(f"{name}, minutes of processors", (time.process_time() - start) / 60)
    yield at_most(f"{name}, minutes by the clock", clock, MINUTES_BAR)


def search_inputs(number: int) -> tuple[list[Images], Images]:
    """Return fields, views of simulated ones, and images that are no copies of them."""
    simulated = simulate_fields("rod bacteria", 61, -(-number // len(VIEWS)) + 1, FIELD_SIDE)
    fields = [apply_view(one, view) for one in simulated[1:] for view in VIEWS]
    return fields[:number], cut_field(simulated[0], TILE)


if __name__ == "__main__":
    sys.exit(main())
