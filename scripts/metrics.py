"""Measure how near the synthetic images of a run are to held-out real tiles, and find copies."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipeline_lib.command_line import run_stage
from pipeline_lib.evaluation.compared_files import SHARDS, TILES, check_counts
from pipeline_lib.settings.evaluation import MetricsStage

if TYPE_CHECKING:
    from pipeline_lib.evaluation.concept_metrics import ConceptSets
    from pipeline_lib.evaluation.image_sets import ImageSet

FEATURES = {
    "train_features": "features of the training tiles, concept by concept of each extractor",
    "holdout_features": "features of the held-out tiles, likewise",
    "roundtrip_features": "features of the round trips, likewise",
    "tuned_features": "features of the images of the tuned model, likewise",
    "untuned_features": "features of the images of the untuned base, likewise",
}
CLASS_FEATURES = {
    "class_features": "features of the tuned model's images of the class alone, likewise, or none",
}
BY_CONCEPT = {
    **TILES,
    "train_regions": "whole training regions, likewise",
    "splits": "tables of regions and roles, likewise",
    "train_roundtrips": "some training tiles after encoding and decoding, likewise",
}
PATHS = {
    **{
        f"{name}...": text
        for name, text in (BY_CONCEPT | FEATURES | CLASS_FEATURES | SHARDS).items()
    },
    "diversities...": "tables of the diversity by LPIPS, if there are any (.csv)",
    "metrics": "table of metrics to write, .csv",
    "copies": "table of the likest training places to write, .tsv",
    "similarities": "similarities of all images of all sets to write, .csv",
    "objects": "what was measured on each object of each set to write, .csv",
    "counts": "how many objects each image of each set has to write, .csv",
    "windows": "the likest training places, in register, to write, .tif",
}


def work(stage: MetricsStage, paths: argparse.Namespace) -> None:
    """Evaluate concept by concept, write tables and windows."""
    import pandas as pd
    from tqdm import tqdm

    from pipeline_lib.evaluation.comparisons import rows_to_table
    from pipeline_lib.evaluation.concept_copies import NO_WINDOW
    from pipeline_lib.evaluation.concept_metrics import evaluate_concept
    from pipeline_lib.evaluation.image_sets import read_compared_manifests
    from pipeline_lib.files import atomic_path
    from pipeline_lib.frames import read_frame
    from pipeline_lib.imaging.stacks import write_planes

    check_lists(stage, paths)
    manifests = read_compared_manifests({name: getattr(paths, name) for name in SHARDS})
    metrics, copies, similarities, windows = [], [], [], []
    objects, counts = [], []
    diversities = [read_frame(path) for path in paths.diversities]
    for number, one in enumerate(tqdm(stage.concepts, desc="metrics", disable=None)):
        sets = read_sets(stage, number, paths, manifests)
        evaluated = evaluate_concept(sets, one.modality, stage.evaluation)
        found = evaluated.copies
        metrics.append(rows_to_table(evaluated.rows, one.concept))
        metrics += [table[table["concept"] == one.concept] for table in diversities]
        objects.append(evaluated.objects.assign(concept=one.concept))
        counts.append(evaluated.counts.assign(concept=one.concept))
        keys = manifests["tuned"][["name", "concept", "prompt_name", "index", "key"]]
        # Windows of all concepts lie in one file: the table numbers its pages.
        shown = found.table["window"] != NO_WINDOW
        found.table.loc[shown, "window"] += len(windows)
        windows += list(found.windows)
        copies.append(
            keys.merge(found.table, on="name", validate="one_to_one").drop(columns="name")
        )
        similarities.append(found.similarities.assign(concept=one.concept))
        logging.info("%s: %d rows of metrics", one.concept, len(evaluated.rows))
    with atomic_path(paths.metrics) as beside:
        pd.concat(metrics).to_csv(beside, index=False)
    with atomic_path(paths.copies) as beside:
        pd.concat(copies).to_csv(beside, index=False, sep="\t")
    with atomic_path(paths.similarities) as beside:
        pd.concat(similarities).to_csv(beside, index=False)
    for path, tables in ((paths.objects, objects), (paths.counts, counts)):
        with atomic_path(path) as beside:
            pd.concat(tables).to_csv(beside, index=False)
    write_planes(paths.windows, windows)


def check_lists(stage: MetricsStage, paths: argparse.Namespace) -> None:
    """Refuse lists that do not have one path for each concept, and each extractor."""
    concepts, extractors = len(stage.concepts), len(stage.evaluation.extractors)
    with_class = CLASS_FEATURES if paths.class_shards else {}
    needed = dict.fromkeys(BY_CONCEPT, concepts)
    needed |= dict.fromkeys(FEATURES | with_class, concepts * extractors)
    check_counts(paths, needed, f"{concepts} concepts and {extractors} extractors")


def read_sets(
    stage: MetricsStage, number: int, paths: argparse.Namespace, manifests: Mapping[str, Any]
) -> list[ConceptSets]:
    """Open everything that belongs to one concept, for each extractor, the headline's first."""
    import numpy as np

    from pipeline_lib.evaluation.concept_metrics import ConceptSets
    from pipeline_lib.evaluation.image_sets import (
        read_compared_tiles,
        read_regions,
        rows_to_images,
        table_to_pixel_size,
    )
    from pipeline_lib.imaging.stacks import read_stack, read_stack_metadata

    own = {name: getattr(paths, name)[number] for name in BY_CONCEPT}
    concept = stage.concepts[number].concept
    images = {
        **read_compared_tiles(own),
        **{
            name: rows_to_images(rows[rows["concept"] == concept])
            for name, rows in manifests.items()
        },
    }
    alike = {
        "regions": read_regions(own["train_regions"], own["splits"]),
        "decoded": read_stack(own["train_roundtrips"]),
        "decoded_numbers": np.array(read_stack_metadata(own["train_roundtrips"])["tiles"], int),
        "pixel_size_um": table_to_pixel_size(own["holdout_tables"]),
    }
    extractors = stage.evaluation.extractors
    order = sorted(range(len(extractors)), key=lambda place: extractors[place] != stage.headline)
    return [
        ConceptSets(
            **alike,
            **describe(images, extractors[place], place * len(stage.concepts) + number, paths),
        )
        for place in order
    ]


def describe(
    images: Mapping[str, ImageSet], extractor: str, place: int, paths: argparse.Namespace
) -> dict[str, Any]:
    """Return the images with the features of one extractor, and what it is."""
    from pipeline_lib.evaluation.embedding_rows import ExtractorFacts
    from pipeline_lib.evaluation.extractors.entries import is_real_fid
    from pipeline_lib.evaluation.image_sets import read_features

    files = {
        name: read_features(getattr(paths, f"{name}_features")[place], extractor) for name in images
    }
    made_by = files["tuned"].metadata
    described = {name: files[name].of(one) for name, one in images.items()}
    return {
        **{name: one for name, one in described.items() if name != "class"},
        "class_images": described.get("class"),
        "prompt": files["tuned"].prompt,
        "extractor": ExtractorFacts(
            name=extractor,
            family=made_by["family"],
            is_fid=is_real_fid(made_by["family"], made_by["weights_sha256"]),
        ),
    }


if __name__ == "__main__":
    run_stage(__doc__, MetricsStage, PATHS, work)
