"""Measure how near the synthetic images of a run are to held-out real tiles, and find copies."""

from __future__ import annotations

import argparse
import logging
from typing import Any

from pipeline_lib.command_line import run_stage
from pipeline_lib.settings import EvaluatedConcept, MetricsStage, UserError

BY_CONCEPT = {
    "train_tiles": "training tiles, a TIFF stack for each concept in the settings' order",
    "holdout_tiles": "held-out tiles, likewise",
    "train_tables": "tables of the training tiles, likewise",
    "holdout_tables": "tables of the held-out tiles, likewise",
    "roundtrips": "held-out tiles after encoding and decoding, likewise",
    "train_regions": "whole training regions, likewise",
    "splits": "tables of regions and roles, likewise",
    "train_roundtrips": "some training tiles after encoding and decoding, likewise",
    "train_features": "features of the training tiles, likewise",
    "holdout_features": "features of the held-out tiles, likewise",
    "roundtrip_features": "features of the round trips, likewise",
    "tuned_features": "features of the images of the tuned model, likewise",
    "untuned_features": "features of the images of the untuned base, likewise",
}
PATHS = {
    **{f"{name}...": text for name, text in BY_CONCEPT.items()},
    "tuned_shards...": "shards of the tuned model, of all concepts",
    "untuned_shards...": "shards of the untuned base, of all concepts",
    "metrics": "table of metrics to write, .csv",
    "copies": "table of the likest training places to write, .tsv",
    "similarities": "similarities of all images of all sets to write, .csv",
    "windows": "the likest training places, in register, to write, .tif",
}


def work(stage: MetricsStage, paths: argparse.Namespace) -> None:
    """Evaluate concept by concept, write tables and windows."""
    import pandas as pd
    from tqdm import tqdm

    from pipeline_lib.evaluation.concept_copies import NO_WINDOW
    from pipeline_lib.evaluation.concept_metrics import evaluate_concept, rows_to_table
    from pipeline_lib.evaluation.image_sets import read_manifests
    from pipeline_lib.files import atomic_path
    from pipeline_lib.imaging.stacks import write_planes

    check_counts(stage, paths)
    manifests = {
        name: read_manifests(getattr(paths, f"{name}_shards")) for name in ("tuned", "untuned")
    }
    metrics, copies, similarities, windows = [], [], [], []
    for number, one in enumerate(tqdm(stage.concepts, desc="metrics", disable=None)):
        own = {name: getattr(paths, name)[number] for name in BY_CONCEPT}
        sets = read_sets(one, own, manifests, stage.evaluation.extractor)
        rows, found = evaluate_concept(sets, one.modality, stage.evaluation)
        metrics.append(rows_to_table(rows, one.concept))
        keys = manifests["tuned"][["name", "concept", "prompt_name", "index", "key"]]
        # Windows of all concepts lie in one file: the table numbers its pages.
        shown = found.table["window"] != NO_WINDOW
        found.table.loc[shown, "window"] += len(windows)
        windows += list(found.windows)
        copies.append(
            keys.merge(found.table, on="name", validate="one_to_one").drop(columns="name")
        )
        similarities.append(found.similarities.assign(concept=one.concept))
        logging.info("%s: %d rows of metrics", one.concept, len(rows))
    with atomic_path(paths.metrics) as beside:
        pd.concat(metrics).to_csv(beside, index=False)
    with atomic_path(paths.copies) as beside:
        pd.concat(copies).to_csv(beside, index=False, sep="\t")
    with atomic_path(paths.similarities) as beside:
        pd.concat(similarities).to_csv(beside, index=False)
    write_planes(paths.windows, windows)


def check_counts(stage: MetricsStage, paths: argparse.Namespace) -> None:
    """Refuse lists that do not have one path for each concept."""
    for name in BY_CONCEPT:
        found = len(getattr(paths, name))
        if found != len(stage.concepts):
            raise UserError(
                f"--{name.replace('_', '-')} needs one path for each of the "
                f"{len(stage.concepts)} concepts, found {found}"
            )
    for name in ("tuned_shards", "untuned_shards"):
        if not getattr(paths, name):
            raise UserError(f"--{name.replace('_', '-')} needs at least one shard folder")


def read_sets(
    one: EvaluatedConcept, paths: dict[str, Any], manifests: dict[str, Any], extractor: str
) -> Any:
    """Open everything that belongs to one concept."""
    import numpy as np

    from pipeline_lib.evaluation.concept_metrics import ConceptSets
    from pipeline_lib.evaluation.image_sets import (
        Described,
        read_features,
        read_regions,
        read_tiles,
        rows_to_images,
        table_to_pixel_size,
    )
    from pipeline_lib.imaging.stacks import read_stack, read_stack_metadata

    def described(images: Any, features: str) -> Described:
        return read_features(paths[features], extractor).of(images)

    def synthetic(name: str) -> Described:
        rows = manifests[name]
        return described(rows_to_images(rows[rows["concept"] == one.concept]), f"{name}_features")

    train = read_tiles(paths["train_tiles"], paths["train_tables"])
    holdout = read_tiles(paths["holdout_tiles"], paths["holdout_tables"])
    roundtrip = read_tiles(paths["roundtrips"], paths["holdout_tables"])
    return ConceptSets(
        train=described(train, "train_features"),
        holdout=described(holdout, "holdout_features"),
        roundtrip=described(roundtrip, "roundtrip_features"),
        tuned=synthetic("tuned"),
        untuned=synthetic("untuned"),
        regions=read_regions(paths["train_regions"], paths["splits"]),
        decoded=read_stack(paths["train_roundtrips"]),
        decoded_numbers=np.array(read_stack_metadata(paths["train_roundtrips"])["tiles"], int),
        pixel_size_um=table_to_pixel_size(paths["holdout_tables"]),
    )


if __name__ == "__main__":
    run_stage(__doc__, MetricsStage, PATHS, work)
