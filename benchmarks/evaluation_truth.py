"""Put the evaluation before cases whose truth is known: a table; exit 1 where a bar is missed.

Parts: how often intervals hold the truth; how often equal sets are called clearly different;
whether graded faults of simulated pictures move their own metrics; whether planted copies are
found and real tiles are not. With --quick fewer cells and repeats, in minutes. Each --run adds the
fields and held-out tiles of a run's results to the search for copies.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
from bars import Figure, at_least, at_most, moving, print_figures
from planted import VIEWS, Planted, cut_field, real_forms, to_grey
from scipy import ndimage
from scipy.stats import wasserstein_distance
from simulated import (
    YEAST_PIXEL_UM,
    pictures_to_diameters,
    pictures_to_grey,
    settings_to_pictures,
    simulate_fields,
    yeast_settings,
)
from threadpoolctl import threadpool_limits

from pipeline_lib.dreambooth.latents import round_trip
from pipeline_lib.evaluation.comparisons import (
    list_metrics,
    measures_to_difference,
    rows_to_table,
)
from pipeline_lib.evaluation.copies import (
    Matches,
    TrainingFields,
    images_to_matches,
    pictures_to_fields,
    similarities_to_copy_threshold,
)
from pipeline_lib.evaluation.extractors.contract import images_to_features
from pipeline_lib.evaluation.extractors.loading import load_extractor
from pipeline_lib.evaluation.image_sets import read_tiles
from pipeline_lib.evaluation.intervals import (
    images_to_blocks,
    jackknife_estimate,
    names_to_units,
)
from pipeline_lib.evaluation.kept_band import roundtrip_to_band
from pipeline_lib.evaluation.kernel_distance import units_to_kernel_statistic
from pipeline_lib.evaluation.measurements import Measures, images_to_measures
from pipeline_lib.evaluation.objects import Segmenter, fit_segmenter
from pipeline_lib.evaluation.ring_correlation import LEAST_STRUCTURE
from pipeline_lib.files import read_json, write_json
from pipeline_lib.imaging.camera_noise import tiles_to_camera_noise
from pipeline_lib.imaging.intensity import record_to_intensity
from pipeline_lib.imaging.regions import Regions
from pipeline_lib.imaging.splitting import TRAIN
from pipeline_lib.imaging.stacks import read_stack
from pipeline_lib.imaging.tables import read_split, read_table
from pipeline_lib.imaging.tiling import regions_to_tiles
from pipeline_lib.models.fetching import describe_model
from pipeline_lib.models.loading import BaseModel, load_model
from pipeline_lib.optics import KINDS
from pipeline_lib.reporting.verdicts import differences_to_nearness, metrics_to_differences
from pipeline_lib.settings.base_models import BaseModelEntry
from pipeline_lib.settings.evaluation import EvaluationSettings
from pipeline_lib.settings.tiling import TilingSettings

Images = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.integer]

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "resources" / "base_models" / "brightfield-tiny"
CONCEPT, EXTRACTOR, CONFIDENCE = "concept", "efficientnet-lite0", 0.95
COVERAGE_BAR = 0.92
DIFFERENT_BAR, MOVED_BAR = 0.05, 0.9
FOUND_BAR, ALARM_BAR = 0.99, 0.01
TILE, FIELD = 128, 512
# A field as cameras give it holds sixteen times as many places that a copy may be taken for.
LARGE_KINDS, LARGE_COUNT, LARGE_FIELD = ("adherent cells", "monolayer"), 8, 2048


def main() -> int:
    """Measure, print, and say whether every bar is kept."""
    arguments = parse_arguments()
    parts = {
        "coverage": partial(coverage_figures, arguments.quick),
        "same": partial(same_figures, arguments.quick),
        "graded": graded_figures,
        "copies": partial(copies_figures, arguments.quick, arguments.model, arguments.run),
    }
    chosen = arguments.part or list(parts)
    return print_figures(figure for name in chosen for figure in timed(name, parts[name]()))


def timed(name: str, figures: Iterator[Figure]) -> Iterator[Figure]:
    """Yield a part's figures and how long it took, by the clock and by the processors."""
    clock, processors = time.perf_counter(), time.process_time()
    # Experiments are thousands of small products: threads that wait for each other slow each down.
    with threadpool_limits(None if name == "copies" else 1, "blas"):
        yield from figures
    yield Figure(f"part {name}: minutes by the clock", (time.perf_counter() - clock) / 60)
    yield Figure(f"part {name}: minutes of processors", (time.process_time() - processors) / 60)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help="fewer cells and repeats")
    add("--part", action="append", choices=("coverage", "same", "graded", "copies"), help="only it")
    add("--model", type=Path, default=MODEL, help="folder with the autoencoder (%(default)s)")
    add(
        "--run",
        type=Path,
        action="append",
        default=[],
        help="results of a project, results/NAME: its tiles are searched for copies, too",
    )
    return parser.parse_args()


# --- intervals -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cell:
    """Fields, tiles of each, the fields' share of the variance, and the number of features."""

    fields: int
    tiles: int
    share: float
    dimensions: int

    def __str__(self) -> str:
        """Return the words for the table."""
        return f"{self.fields} x {self.tiles} tiles, share {self.share}, D {self.dimensions}"


SHIFTS, UNTUNED_SHIFT = (0.0, 0.3), 0.5
SYNTHETIC_COUNTS = (60, 200)
QUICK_CELLS = (Cell(5, 6, 0.6, 64), Cell(12, 24, 0.6, 64), Cell(5, 6, 0.2, 1280))
ALL_CELLS = tuple(Cell(*one) for one in product((5, 12, 20), (6, 24), (0.2, 0.6), (64, 1280)))


def coverage_figures(quick: bool) -> Iterator[Figure]:
    """Yield how often intervals of the kernel distance and its differences hold the truth."""
    cells, repeats = (QUICK_CELLS, 300) if quick else (ALL_CELLS, 1000)
    for cell in cells:
        for what, shift, count in product(
            ("KID", "tuned less floor", "tuned less untuned"), SHIFTS, SYNTHETIC_COUNTS
        ):
            generator = np.random.default_rng([cell.fields, cell.tiles, count])
            share = np.mean([holds(what, cell, shift, count, generator) for _ in range(repeats)])
            yield at_least(
                f"held, {what}, {cell}, shift {shift}, {count} images", share, COVERAGE_BAR
            )


def holds(what: str, cell: Cell, shift: float, count: int, generator: np.random.Generator) -> bool:
    """Draw an experiment and say whether its interval holds the truth."""
    reference, floor = (draw_tiles(cell, generator) for _ in range(2))
    tuned = draw_images(cell, shift, count, generator)
    truth = shift_to_truth(shift, cell.dimensions)
    if what == "KID":
        sides = (reference.features, reference.units, tuned.features, tuned.units)
        counts = (reference.unit_count(), tuned.unit_count())
        found = jackknife_estimate(units_to_kernel_statistic(*sides), counts, CONFIDENCE)
        return found.low <= truth <= found.high
    other, name = floor, "floor"
    if what == "tuned less untuned":
        other, name = draw_images(cell, UNTUNED_SHIFT, count, generator), "untuned"
        truth -= shift_to_truth(UNTUNED_SHIFT, cell.dimensions)
    row = measures_to_difference(reference, tuned, other, name, EXTRACTOR, CONFIDENCE)
    return row.low <= truth <= row.high


def draw_tiles(cell: Cell, generator: np.random.Generator) -> Measures:
    """Draw the features of real tiles: normal, a share of their variance the field's."""
    units = np.arange(cell.fields).repeat(cell.tiles)
    of_fields = generator.standard_normal((cell.fields, cell.dimensions))[units]
    own = generator.standard_normal(of_fields.shape)
    features = np.sqrt(cell.share) * of_fields + np.sqrt(1 - cell.share) * own
    return features_to_measures(features, units)


def draw_images(cell: Cell, shift: float, count: int, generator: np.random.Generator) -> Measures:
    """Draw the features of independent images, all moved by a shift in every dimension."""
    features = generator.normal(shift, 1, (count, cell.dimensions))
    return features_to_measures(features, images_to_blocks(count))


def shift_to_truth(shift: float, dimensions: int) -> float:
    """Return the kernel distance of two normal distributions a shift apart.

    With z = x . y / D, ``E (z + 1)^3 = 1 + 3 E z + 3 E z^2 + E z^3``; the moments of z follow from
    those of independent normal x and y.
    """
    square = shift**2
    limit = 3 * square + 3 * square**2 + square**3
    return limit + 3 * square * (2 * square + 1) / dimensions + 6 * square / dimensions**2


def features_to_measures(features: FloatArray, units: IntArray) -> Measures:
    """Return measures of images of which only the features are known."""
    nothing = np.zeros(len(features))
    known = {"features": features, "units": units, "digests": frozenset()}
    others = [name for name in Measures.__dataclass_fields__ if name not in known]
    return Measures(**known, **dict.fromkeys(others, nothing))


# --- the headline --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pool:
    """Features of many tiles of many fields, which equal sets are drawn from."""

    features: FloatArray  # (fields, tiles, D)

    def draw(
        self, fields: int, tiles: int, generator: np.random.Generator
    ) -> tuple[Measures, Measures, Measures]:
        """Draw held-out tiles, as many synthetic images, and training tiles, no field twice."""
        count, (all_fields, all_tiles, dimensions) = fields * tiles, self.features.shape
        order = generator.permutation(all_fields)
        chosen = np.array([generator.permutation(all_tiles)[:tiles] for _ in range(2 * fields)])
        real = self.features[order[: 2 * fields, None], chosen].reshape(2, count, dimensions)
        own = order[2 * fields : 2 * fields + count]
        tuned = self.features[own, generator.integers(all_tiles, size=count)]
        units = np.arange(fields).repeat(tiles)
        holdout, train = (features_to_measures(one, units) for one in real)
        return holdout, features_to_measures(tuned, images_to_blocks(count)), train


ONE_EACH = (5, 8, 12, 20, 30, 50)
IN_FIELDS = ((5, 2), (5, 4), (5, 9), (10, 5))
QUICK_SIZES = ((5, 1), (12, 1), (50, 1), (5, 4), (12, 4))
POOL_FIELDS, POOL_SIDE, QUICK_POOL_SIDE = 160, 408, 272  # nine tiles of a field, or four


def same_figures(quick: bool) -> Iterator[Figure]:
    """Yield how often sets of one distribution are called clearly different.

    There is no untuned base among them: the headline then allows no margin and is at its strictest.
    """
    every = (*((count, 1) for count in ONE_EACH), *IN_FIELDS)
    sizes, repeats = (QUICK_SIZES, 300) if quick else (every, 1000)
    for name, pool in pools(quick):
        generator = np.random.default_rng(7)
        for fields, tiles in sizes:
            words = [sets_to_word(*pool.draw(fields, tiles, generator)) for _ in range(repeats)]
            share = words.count("clearly different") / repeats
            what = f"called different, {name}: {fields} fields of {tiles}"
            yield at_most(what, share, DIFFERENT_BAR)
    yield from moved_figures(repeats)


def moved_figures(repeats: int) -> Iterator[Figure]:
    """Yield how often sets that do differ are called so: a word never said is never wrong."""
    for count in (12, 50):
        generator, cell = np.random.default_rng(8), Cell(count, 1, 0.6, 64)
        words = []
        for _ in range(repeats):
            holdout, train = (draw_tiles(cell, generator) for _ in range(2))
            tuned = draw_images(cell, UNTUNED_SHIFT, count, generator)
            words.append(sets_to_word(holdout, tuned, train))
        share = words.count("clearly different") / repeats
        what = f"called different, normal, moved by {UNTUNED_SHIFT}: {count} fields of 1"
        yield at_least(what, share, MOVED_BAR)


def pools(quick: bool) -> Iterator[tuple[str, Pool]]:
    """Yield the features of simulated pictures, and normal ones."""
    generator = np.random.default_rng(11)
    for dimensions in (64,) if quick else (64, 1280):
        shape = (20 * POOL_FIELDS, 9, dimensions)
        of_fields = generator.standard_normal((shape[0], 1, dimensions))
        own = generator.standard_normal(shape)
        yield f"normal, D {dimensions}", Pool(np.sqrt(0.6) * of_fields + np.sqrt(0.4) * own)
    extractor = load_extractor(EXTRACTOR)
    for kind in ("budding yeast",) if quick else KINDS:
        fields = simulate_fields(kind, 21, POOL_FIELDS, QUICK_POOL_SIDE if quick else POOL_SIDE)
        tiles = np.stack([cut_field(field, TILE) for field in fields])
        features = images_to_features(extractor, tiles.reshape(-1, TILE, TILE))
        yield f"simulated {kind}", Pool(features.reshape(*tiles.shape[:2], -1).astype(np.float64))


def sets_to_word(holdout: Measures, tuned: Measures, train: Measures) -> str:
    """Return the word of the headline."""
    row = measures_to_difference(holdout, tuned, train, "floor", EXTRACTOR, CONFIDENCE)
    table = rows_to_table([row], CONCEPT)
    return differences_to_nearness({}, metrics_to_differences(table, CONCEPT, EXTRACTOR))


# --- graded faults -------------------------------------------------------------------------------

GRADED_SIDE, GRADED_COUNT = 256, 24
DENSITIES, DENSITY_PICTURES = 6, 120
BLURS = (0.0, 0.5, 1.0, 1.5, 2.0)
NOISES = (0.0, 1.0, 2.0, 4.0, 8.0)
GRIDS = (0.0, 1.0, 2.0, 4.0, 8.0)
SIZES = (1.0, 1.15, 1.3, 1.5, 1.75)


@dataclass(frozen=True)
class Judge:
    """Pictures without faults, and how others are compared with them."""

    reference: Measures
    segmenter: Segmenter

    def values(self, images: Images) -> dict[str, float]:
        """Return every metric of a set by name."""
        sample = measure(images, self.segmenter)
        return {
            metric.name: metric.compare(
                getattr(self.reference, metric.measure), getattr(sample, metric.measure)
            )
            for metric in list_metrics("px")
            if metric.measure != "features"
        }

    def moving(self, what: str, grades: dict[str, Images], rising: bool) -> list[Figure]:
        """Return one metric at each grade."""
        values = [self.values(images)[what] for images in grades.values()]
        return moving(what, list(grades), values, rising)


def graded_figures() -> Iterator[Figure]:
    """Yield each metric over five grades of its own fault."""
    settings = yeast_settings(GRADED_SIDE, "medium")
    real = pictures_to_grey(settings_to_pictures(settings, 31, GRADED_COUNT))
    segmenter = fit_segmenter(real)
    judge = Judge(measure(real, segmenter), segmenter)
    images = pictures_to_grey(settings_to_pictures(settings, 32, GRADED_COUNT))
    blurred = {f"blur {sigma} px": blur(images, sigma) for sigma in BLURS}
    for what in ("sharpness_ratio", "power_ratio_2_to_4_px", "power_ratio_4_to_8_px"):
        yield from judge.moving(what, blurred, rising=False)
    noisy = {f"noise {deviation} grey levels": noise(images, deviation) for deviation in NOISES}
    yield from judge.moving("noise_ratio", noisy, rising=True)
    grids = {f"grid {height} grey levels": grid(images, height) for height in GRIDS}
    yield from judge.moving("grid_peak_ratio_8_px", grids, rising=True)
    yield from size_figures(judge)
    yield from density_figures(judge)


def measure(images: Images, segmenter: Segmenter) -> Measures:
    """Measure pictures; features are not needed."""
    return images_to_measures(images, np.zeros((len(images), 1)), np.arange(len(images)), segmenter)


def blur(images: Images, sigma: float) -> Images:
    """Blur pictures."""
    return to_grey(ndimage.gaussian_filter(images.astype(float), (0, sigma, sigma)))


def noise(images: Images, deviation: float) -> Images:
    """Add white noise."""
    drawn = np.random.default_rng(33).standard_normal(images.shape)
    return to_grey(images + deviation * drawn)


def grid(images: Images, height: float) -> Images:
    """Add a square grid of 8 pixels: bright lines at the blocks' edges."""
    line = np.arange(images.shape[1]) % 8 == 0
    return to_grey(images + height * (line[:, None] | line[None, :]))


def size_figures(judge: Judge) -> Iterator[Figure]:
    """Yield the distance of diameters where cells are larger, beside the truth."""
    base = settings_to_pictures(yeast_settings(GRADED_SIDE, "medium"), 31, GRADED_COUNT)
    graded = {
        f"cells {size} times as wide": settings_to_pictures(
            yeast_settings(GRADED_SIDE, "medium", YEAST_PIXEL_UM / size), 34, GRADED_COUNT
        )
        for size in SIZES
    }
    for grade, pictures in graded.items():
        both = pictures_to_diameters(base), pictures_to_diameters(pictures)
        yield Figure(f"true distance of diameters, px, {grade}", wasserstein_distance(*both))
    grey = {grade: pictures_to_grey(pictures) for grade, pictures in graded.items()}
    yield from judge.moving("object_diameter_distance_px", grey, rising=True)


def density_figures(judge: Judge) -> Iterator[Figure]:
    """Yield the ratio of counts where there are more cells, beside the truth.

    In the last grade cells touch, and cells that touch count as one: the number is shown, and only
    the area that cells cover has to rise there.
    """
    base = settings_to_pictures(yeast_settings(GRADED_SIDE, "medium"), 31, GRADED_COUNT)
    pictures = [
        picture
        for density, seed in (("sparse", 35), ("medium", 36))
        for picture in settings_to_pictures(
            yeast_settings(GRADED_SIDE, density), seed, DENSITY_PICTURES // 2
        )
    ]
    order = np.argsort([picture.count for picture in pictures], kind="stable")
    cells, grey = np.mean([picture.count for picture in base]), {}
    for grade, numbers in enumerate(np.array_split(order, DENSITIES), start=1):
        chosen = [pictures[number] for number in numbers]
        true = np.mean([picture.count for picture in chosen])
        name = f"density {grade} of {DENSITIES}, {true:.1f} cells"
        grey[name] = pictures_to_grey(chosen)
        yield Figure(f"true ratio of counts, {name}", float(true / cells))
    yield from judge.moving("object_coverage_ratio", grey, rising=True)
    *apart, touching = judge.moving("object_count_ratio", grey, rising=True)
    yield from apart
    yield Figure(f"{touching.what}: cells touch, a limit", touching.value)


# --- copies --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class World:
    """Training fields, and tiles of other fields: some set thresholds, others are judged.

    Copies are taken from `planted`: the fields, or parts of them where they are large.
    """

    name: str
    fields: Sequence[Images]
    planted: Sequence[Images]
    setting: Images
    judged: Images


def copies_figures(quick: bool, folder: Path, runs: Sequence[Path]) -> Iterator[Figure]:
    """Yield how many planted copies are found, and how many real tiles are called copies."""
    model = folder_to_model(folder)
    for world in simulated_worlds(quick):
        yield from world_figures(world, model)
    for run in runs:
        if not list(run.glob("datasets/*/holdout.tif")):
            print(f"left out: {run} holds no datasets/*/holdout.tif")
        for world in run_to_worlds(run):
            yield from world_figures(world, model)
    if not runs:
        print("left out: tiles of finished runs; give --run results/NAME")


def folder_to_model(folder: Path) -> BaseModel:
    """Load a base model from its folder."""
    entry = BaseModelEntry(kind="folder", path=str(folder), size=TILE)
    with tempfile.TemporaryDirectory() as scratch:
        card = Path(scratch) / "card.json"
        write_json(card, {**describe_model("benchmark", entry, folder), "folder": str(folder)})
        return load_model(card)


def simulated_worlds(quick: bool) -> Iterator[World]:
    """Yield an experiment of each kind of object."""
    kinds, counts = (("rod bacteria", "monolayer"), (2, 4, 4)) if quick else (KINDS, (4, 8, 8))
    for kind in kinds:
        fields = simulate_fields(kind, 40 + KINDS.index(kind), sum(counts), FIELD)
        world = fields_to_world(f"simulated {kind}", fields, counts, TILE)
        yield world
        if kind in LARGE_KINDS and not quick:
            large = simulate_fields(kind, 60 + KINDS.index(kind), LARGE_COUNT, LARGE_FIELD)
            parts = [field[:FIELD, -FIELD:] for field in large]
            name = f"{world.name}, {LARGE_FIELD} px"
            yield replace(world, name=name, fields=large, planted=parts)


def fields_to_world(name: str, fields: Images, counts: Sequence[int], side: int) -> World:
    """Return the world of fields: to train on, to set thresholds by and to judge, so many each."""
    train, setting, judged = np.split(fields, np.cumsum(counts)[:-1])
    tiles = [np.concatenate([cut_field(one, side) for one in some]) for some in (setting, judged)]
    return World(name, train, train, *tiles)


def run_to_worlds(folder: Path) -> Iterator[World]:
    """Yield the fields and held-out tiles of each dataset of a project's results."""
    for dataset in sorted(path.parent for path in folder.glob("datasets/*/holdout.tif")):
        holdout = read_tiles(dataset / "holdout.tif", dataset / "holdout.tsv")
        units = names_to_units(holdout.groups, holdout.sources)
        one = units.max() == 0
        # Of one field there are no others to set the thresholds: one half does, the rest is judged.
        sets = np.arange(len(units)) < len(units) // 2 if one else units % 2 == 0
        name = f"{folder.name} {dataset.name}{' (halves of one field)' if one else ''}"
        fields = dataset_to_fields(folder, dataset)
        yield World(name, fields, fields, *(holdout.images[k] for k in (sets, ~sets)))


def dataset_to_fields(folder: Path, dataset: Path) -> Sequence[Images]:
    """Return the training regions of a dataset as the model sees them."""
    rows = [row for row in read_split(dataset / "split.tsv") if row.role == TRAIN]
    stacks = {path.stem: read_stack(path) for path in folder.glob("fields/*/*.tif")}
    tiling = TilingSettings(
        size=read_stack(dataset / "train.tif").shape[1],
        scale=float(read_table(dataset / "train.tsv")[0]["scale"]),
    )
    intensity = record_to_intensity(read_json(dataset / "intensity.json"))
    regions = Regions(stacks, rows)
    return regions_to_tiles(rows, regions, dict.fromkeys(stacks), intensity, tiling).regions


def world_figures(world: World, model: BaseModel) -> Iterator[Figure]:
    """Yield what the search makes of planted copies and of real tiles."""
    through = partial(round_trip, model, batch_size=16)
    side = world.judged.shape[1]
    tiles = np.concatenate([cut_field(field, side) for field in world.planted])
    decoded = through(tiles)
    planted = Planted(world.planted, side, through, tiles_to_camera_noise(tiles, decoded))
    prepared = pictures_to_fields(world.fields, roundtrip_to_band(tiles, decoded))
    matches = search_sets(
        prepared,
        {
            "remembered": decoded,
            "set": world.setting,
            "set, autoencoder": planted.decoded(world.setting),
            **{f"planted {name}": images for name, images in planted.iterate()},
            **{
                f"real {name}": images for name, images in real_forms(world.judged, planted.decoded)
            },
        },
    )
    threshold = matches_to_threshold(matches)
    yield Figure(f"{world.name}: threshold of a copy", threshold)
    for name, found in matches.items():
        if name.startswith("planted "):
            yield found_figure(f"{world.name}: {name}", found, threshold)
    real = {
        name: one.similarities >= threshold
        for name, one in matches.items()
        if name.startswith("real ")
    }
    for name, called in real.items():
        yield Figure(f"{world.name}: {name}, alarms of {len(called)}", int(called.sum()))
    what = f"{world.name}: share of false alarms, all forms"
    yield at_most(what, float(np.mean(list(real.values()))), ALARM_BAR)


def search_sets(prepared: TrainingFields, sets: dict[str, Images]) -> dict[str, Matches]:
    """Search several sets of images at once, which prepares the fields once."""
    joined = images_to_matches(np.concatenate(list(sets.values())), prepared, VIEWS)
    ends = np.cumsum([len(images) for images in sets.values()])
    numbers = np.split(np.arange(len(joined)), ends[:-1])
    return {
        name: Matches(joined.places.take(own), joined.similarities[own], joined.structures[own])
        for name, own in zip(sets, numbers, strict=True)
    }


def matches_to_threshold(matches: dict[str, Matches]) -> float:
    """Set the threshold as a run does, by tiles that are not judged."""
    null = [matches[name].similarities for name in ("set", "set, autoencoder")]
    settings = EvaluationSettings()
    return similarities_to_copy_threshold(
        np.max(null, axis=0),
        matches["remembered"].similarities,
        settings.copy_quantile,
        settings.copy_similarity,
    )


def found_figure(what: str, matches: Matches, threshold: float) -> Figure:
    """Return how many of the copies that can be recognised are found."""
    seen = matches.structures >= LEAST_STRUCTURE
    found = float((matches.similarities[seen] >= threshold).mean()) if seen.any() else np.nan
    name = f"{what} ({(~seen).sum()} of {len(seen)} empty)"
    return at_least(name, found, FOUND_BAR) if seen.any() else Figure(name, found)


if __name__ == "__main__":
    sys.exit(main())
