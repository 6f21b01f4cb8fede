"""Measure how far apart a run's images lie by LPIPS, beside real ones: DreamBooth's DIV."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pipeline_lib.command_line import run_stage
from pipeline_lib.evaluation.compared_files import SHARDS, TILES, check_counts
from pipeline_lib.settings.diversity import DiversityStage

if TYPE_CHECKING:
    from pipeline_lib.evaluation.comparisons import MetricRow
    from pipeline_lib.evaluation.image_sets import ImageSet

PATHS = {
    "extractor": "description of the extractor of family lpips (.json)",
    **{f"{name}...": text for name, text in (TILES | SHARDS).items()},
    "diversity": "table to write, rows as in the table of metrics (.csv)",
}


def work(stage: DiversityStage, paths: argparse.Namespace) -> None:
    """Measure set by set of each concept, and write the rows."""
    import pandas as pd
    from tqdm import tqdm

    from pipeline_lib.evaluation.comparisons import rows_to_table
    from pipeline_lib.evaluation.image_sets import read_compared_manifests
    from pipeline_lib.files import atomic_path

    concepts = len(stage.concepts)
    check_counts(paths, dict.fromkeys(TILES, concepts), f"{concepts} concepts")
    manifests = read_compared_manifests({name: getattr(paths, name) for name in SHARDS})
    measure = make_measure(stage, paths)
    tables = []
    for number, one in enumerate(tqdm(stage.concepts, desc="diversity", disable=None)):
        sets = read_sets(stage, number, paths, manifests)
        rows = [measure(name, images) for name, images in sets]
        tables.append(rows_to_table(rows, one.concept))
    with atomic_path(paths.diversity) as beside:
        pd.concat(tables).to_csv(beside, index=False)


def make_measure(
    stage: DiversityStage, paths: argparse.Namespace
) -> Callable[[str, ImageSet], MetricRow]:
    """Load LPIPS; return what makes a row of a set's name and images."""
    from functools import partial

    from pipeline_lib.evaluation.comparisons import DIV, LPIPS_DIVERSITY
    from pipeline_lib.evaluation.extractors.entries import is_published_lpips
    from pipeline_lib.evaluation.extractors.loading import read_card
    from pipeline_lib.evaluation.extractors.lpips import (
        images_at_once,
        images_to_vectors,
        load_lpips,
    )
    from pipeline_lib.evaluation.perceptual_diversity import set_to_diversity_row
    from pipeline_lib.models.devices import default_device

    card = read_card(paths.extractor)
    embed = partial(images_to_vectors, load_lpips(card, default_device()))
    metric = DIV if is_published_lpips(card.files) else LPIPS_DIVERSITY
    told = metric, card.name, stage.confidence

    def measure(name: str, images: ImageSet) -> MetricRow:
        at_once = images_at_once(*images.images.shape[1:])
        row = set_to_diversity_row(images, name, embed, *told, batch_size=at_once)
        logging.info("%s: %s of %d images: %.4f", name, metric, len(images), row.value)
        return row

    return measure


def read_sets(
    stage: DiversityStage, number: int, paths: argparse.Namespace, manifests: Mapping[str, Any]
) -> Iterator[tuple[str, ImageSet]]:
    """Yield name and images of a concept's sets, cut to equal numbers as for all metrics."""
    from pipeline_lib.evaluation.equal_numbers import cut_to_equal
    from pipeline_lib.evaluation.image_sets import read_compared_tiles, rows_to_images
    from pipeline_lib.sampling.manifests import USABLE

    tiles = read_compared_tiles({name: getattr(paths, name)[number] for name in TILES})
    concept = stage.concepts[number].concept
    drawn: dict[str, Any] = {
        name: rows[(rows["concept"] == concept) & (rows["status"] == USABLE)]
        for name, rows in manifests.items()
    }
    cut = cut_to_equal({**drawn, "train": tiles["train"], "holdout": tiles["holdout"]})
    for name in drawn:
        yield name, rows_to_images(cut[name])
    yield "floor", cut["train"]
    yield "vae", tiles["roundtrip"]
    yield "holdout", cut["holdout"]


if __name__ == "__main__":
    run_stage(__doc__, DiversityStage, PATHS, work)
