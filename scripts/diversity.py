"""Measure how far apart a run's images lie by LPIPS, beside real ones: DreamBooth's DIV."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pipeline_lib.command_line import run_stage
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.diversity import DiversityStage

if TYPE_CHECKING:
    from pipeline_lib.evaluation.comparisons import MetricRow
    from pipeline_lib.evaluation.image_sets import ImageSet

BY_CONCEPT = {
    "train_tiles": "training tiles, a TIFF stack for each concept in the settings' order",
    "holdout_tiles": "held-out tiles, likewise",
    "train_tables": "tables of the training tiles, likewise",
    "holdout_tables": "tables of the held-out tiles, likewise",
    "roundtrips": "held-out tiles after encoding and decoding, likewise",
}
PATHS = {
    "extractor": "description of the extractor of family lpips (.json)",
    **{f"{name}...": text for name, text in BY_CONCEPT.items()},
    "tuned_shards...": "shards of the tuned model, of all concepts (.zip)",
    "untuned_shards...": "shards of the untuned base, of all concepts (.zip)",
    "class_shards...": "shards of the tuned model's images of the class alone, if there are any",
    "diversity": "table to write, rows as in the table of metrics (.csv)",
}


def work(stage: DiversityStage, paths: argparse.Namespace) -> None:
    """Measure set by set of each concept, and write the rows."""
    import pandas as pd

    from pipeline_lib.evaluation.comparisons import rows_to_table
    from pipeline_lib.evaluation.image_sets import read_manifests
    from pipeline_lib.files import atomic_path

    check_counts(stage, paths)
    manifests = {
        name: read_manifests(getattr(paths, f"{name}_shards"))
        for name in ("tuned", "untuned", "class")
        if name != "class" or paths.class_shards
    }
    measure = make_measure(stage, paths)
    tables = [
        rows_to_table(
            [measure(name, one) for name, one in read_sets(stage, number, paths, manifests)],
            concept.concept,
        )
        for number, concept in enumerate(stage.concepts)
    ]
    with atomic_path(paths.diversity) as beside:
        pd.concat(tables).to_csv(beside, index=False)


def check_counts(stage: DiversityStage, paths: argparse.Namespace) -> None:
    """Refuse lists that do not have one path for each concept."""
    for name in BY_CONCEPT:
        found = len(getattr(paths, name))
        if found != len(stage.concepts):
            raise UserError(
                f"--{name.replace('_', '-')} needs {len(stage.concepts)} paths, one for each "
                f"concept, found {found}"
            )


def make_measure(stage: DiversityStage, paths: argparse.Namespace) -> Any:
    """Load LPIPS; return what makes a row of a set's name and images."""
    from tqdm import tqdm

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
    network = load_lpips(card, default_device())
    metric = DIV if is_published_lpips(card.files) else LPIPS_DIVERSITY

    def measure(name: str, images: ImageSet) -> MetricRow:
        with tqdm(total=len(images), desc=name, unit="image", disable=None) as bar:

            def embed(batch: Any) -> Any:
                bar.update(len(batch))
                return images_to_vectors(network, batch)

            told = metric, card.name, stage.confidence
            at_once = images_at_once(*images.images.shape[1:])
            row = set_to_diversity_row(images, name, embed, *told, batch_size=at_once)
        logging.info("%s: %s of %d images: %.4f", name, metric, len(images), row.value)
        return row

    return measure


def read_sets(
    stage: DiversityStage, number: int, paths: argparse.Namespace, manifests: Mapping[str, Any]
) -> Iterator[tuple[str, ImageSet]]:
    """Yield name and images of a concept's sets, cut to equal numbers as for all metrics."""
    import numpy as np

    from pipeline_lib.evaluation.comparisons import equal_number
    from pipeline_lib.evaluation.image_sets import read_tiles, rows_to_images
    from pipeline_lib.imaging.choices import even_choice
    from pipeline_lib.sampling.manifests import USABLE

    own = {name: getattr(paths, name)[number] for name in BY_CONCEPT}
    concept = stage.concepts[number].concept
    drawn = {
        name: rows[(rows["concept"] == concept) & (rows["status"] == USABLE)]
        for name, rows in manifests.items()
    }
    train = read_tiles(own["train_tiles"], own["train_tables"])
    holdout = read_tiles(own["holdout_tiles"], own["holdout_tables"])
    judged = (drawn["tuned"], drawn["untuned"], train, holdout)
    count = equal_number([len(one) for one in judged])
    for name, rows in drawn.items():
        yield name, rows_to_images(rows.head(count))
    yield "floor", train.take(np.asarray(even_choice(len(train), count)))
    yield "vae", read_tiles(own["roundtrips"], own["holdout_tables"])
    yield "holdout", holdout


if __name__ == "__main__":
    run_stage(__doc__, DiversityStage, PATHS, work)
