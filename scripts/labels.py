"""Label the objects of a run's synthetic images, and of its real tiles, for training detectors."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline_lib.command_line import run_stage
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.labels import LabelledConcept, LabelsStage

if TYPE_CHECKING:
    import pandas as pd

    from pipeline_lib.labels.confidence import FittedSegmenter
    from pipeline_lib.labels.sets import LabelledSet

BY_CONCEPT = {
    "train_tiles": "training tiles, a TIFF stack for each concept in the settings' order",
    "train_tables": "tables of the training tiles, likewise",
    "holdout_tiles": "held-out tiles, likewise",
    "holdout_tables": "tables of the held-out tiles, likewise",
}
PATHS = {
    "shards...": "shards of the tuned model, of all concepts (.zip)",
    **{f"{name}...": text for name, text in BY_CONCEPT.items()},
    "labels": "folder to write",
}
SETS = {"synthetic": "train", "train": "val", "holdout": "test"}  # what a detector uses each for


class Named(NamedTuple):
    """An image with the name of its files and its own; what is wrong in the place of pixels."""

    file: str
    name: str
    pixels: Any
    fault: str


def work(stage: LabelsStage, paths: argparse.Namespace) -> None:
    """Label set after set of each concept, and write what holds for all."""
    from tqdm import tqdm

    from pipeline_lib.evaluation.image_sets import read_manifests
    from pipeline_lib.files import atomic_path, sweep
    from pipeline_lib.labels.sets import LabelledSet

    check_counts(stage, paths)
    nouns = tuple(dict.fromkeys(one.noun for one in stage.concepts))
    rows = read_manifests(paths.shards)
    sweep(paths.labels.parent, paths.labels.name)
    with atomic_path(paths.labels) as beside:
        sets = [LabelledSet(beside / name, name, nouns, stage.labels.format) for name in SETS]
        segmenters = {}
        for number, concept in enumerate(tqdm(stage.concepts, desc="labels", disable=None)):
            segmenters[concept.concept] = label_concept(stage, concept, number, paths, rows, sets)
        write_descriptions(stage, paths, sets, segmenters, beside)
    for one in sets:
        logging.info("%s: %s", one.name, one.summary())


def check_counts(stage: LabelsStage, paths: argparse.Namespace) -> None:
    """Refuse lists that do not have one path for each concept, and no shards at all."""
    for name in BY_CONCEPT:
        found = len(getattr(paths, name))
        if found != len(stage.concepts):
            raise UserError(
                f"--{name.replace('_', '-')} needs {len(stage.concepts)} paths, one for each "
                f"concept, found {found}"
            )
    if not paths.shards:
        raise UserError("--shards needs at least one shard")


def label_concept(
    stage: LabelsStage,
    concept: LabelledConcept,
    number: int,
    paths: argparse.Namespace,
    rows: pd.DataFrame,
    sets: list[LabelledSet],
) -> FittedSegmenter:
    """Label all images of a concept by one segmenter, and return it."""
    from pipeline_lib.evaluation.image_sets import read_tiles, table_to_pixel_size
    from pipeline_lib.evaluation.segmenters import name_to_segmenter

    own = {name: getattr(paths, name)[number] for name in BY_CONCEPT}
    tiles = read_tiles(own["train_tiles"], own["train_tables"])
    # Fitted to training tiles: what trains a detector must know nothing of held-out ones.
    segmenter = name_to_segmenter(stage.segmenter, tiles.images)
    pixel_size = table_to_pixel_size(own["train_tables"])
    images = {
        "synthetic": drawn_images(rows[rows["concept"] == concept.concept]),
        "train": tile_images(own["train_tiles"], own["train_tables"], concept.concept),
        "holdout": tile_images(own["holdout_tiles"], own["holdout_tables"], concept.concept),
    }
    for one in sets:
        label_images(stage, concept, segmenter, images[one.name], one, pixel_size)
    return segmenter


def label_images(
    stage: LabelsStage,
    concept: LabelledConcept,
    segmenter: FittedSegmenter,
    images: Iterator[Named],
    labelled: LabelledSet,
    pixel_size_um: float | None,
) -> None:
    """Label images one after another, the same for real and synthetic ones."""
    from pipeline_lib.labels.instances import BLANK, image_to_instances, is_blank

    for one in images:
        if one.fault or is_blank(one.pixels):
            labelled.leave_out(one.fault or BLANK)
            continue
        found = image_to_instances(one.pixels, segmenter, stage.labels.minimum_confidence)
        told = {"run": stage.run, "concept": concept.concept, "image": one.name}
        labelled.add(one.file, one.pixels, found, concept.noun, pixel_size_um, told)


def drawn_images(rows: pd.DataFrame) -> Iterator[Named]:
    """Yield synthetic images, those without a picture first."""
    from pipeline_lib.sampling.manifests import USABLE
    from pipeline_lib.sampling.shard_files import read_pictures

    usable = rows["status"] == USABLE
    for status in rows.loc[~usable, "status"]:
        yield Named("", "", None, status)
    drawn = rows[usable]
    for name, pixels in zip(drawn["name"], read_pictures(drawn["path"]), strict=True):
        # Names of concepts, datasets and prompts hold no dot: no two images share their files.
        yield Named(name.replace("/", "."), name, pixels, "")


def tile_images(stack: Path, table: Path, concept: str) -> Iterator[Named]:
    """Yield real tiles."""
    from pipeline_lib.evaluation.image_sets import read_tiles

    tiles = read_tiles(stack, table)
    for number, (pixels, source) in enumerate(zip(tiles.images, tiles.sources, strict=True)):
        yield Named(f"{concept}.{number:06d}", f"{source}/{number}", pixels, "")


def write_descriptions(
    stage: LabelsStage,
    paths: argparse.Namespace,
    sets: list[LabelledSet],
    segmenters: dict[str, FittedSegmenter],
    folder: Path,
) -> None:
    """Write COCO's files, YOLO's description and what was done, in numbers."""
    from pipeline_lib.files import file_to_sha256, provenance, write_json, write_text
    from pipeline_lib.labels.sets import IMAGES
    from pipeline_lib.labels.yolo import sets_to_data_yaml

    told = {"description": f"Labels of run {stage.run}, found by a segmenter and by no person"}
    for one in sets:
        one.close(told)
    used = {SETS[one.name]: f"{one.name}/{IMAGES}" for one in sets if one.images}
    write_text(folder / "data.yaml", sets_to_data_yaml(used, sets[0].nouns))
    inputs = [*paths.shards, *paths.train_tiles, *paths.holdout_tiles]
    hashes = {"/".join(path.parts[-3:]): file_to_sha256(path) for path in inputs}
    thresholds = {name: getattr(one, "threshold", None) for name, one in segmenters.items()}
    summary = {
        "sets": {one.name: one.summary() for one in sets},
        "contrast_thresholds": thresholds,
        "provenance": provenance("labels", stage.model_dump(mode="json"), **hashes),
    }
    write_json(folder / "labels.json", summary)


if __name__ == "__main__":
    run_stage(__doc__, LabelsStage, PATHS, work)
