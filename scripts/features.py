"""Compute the features of images: of shards of synthetic images, or of one stack of tiles."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline_lib.command_line import run_stage
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.features import FeaturesStage

if TYPE_CHECKING:
    from pipeline_lib.evaluation.extractors.entries import ExtractorCard
    from pipeline_lib.evaluation.image_sets import Features, ImageSet

PATHS = {
    "extractor": "description of the extractor (.json)",
    "images...": "shards of synthetic images (.zip), or one TIFF stack",
    "tables...": "table of the stack's tiles with their groups, at most one",
    "features": "file to write, .npz",
}


def work(stage: FeaturesStage, paths: argparse.Namespace) -> None:
    """Read the images, run the extractor, write the features."""
    from pipeline_lib.evaluation.extractors.loading import read_card
    from pipeline_lib.evaluation.image_sets import read_images, write_features

    if len(paths.tables) > 1:
        raise UserError(f"--tables takes at most one table, found {len(paths.tables)}")
    images = read_images(paths.images, next(iter(paths.tables), None))
    card = read_card(paths.extractor)
    write_features(paths.features, extract(stage, card, images), images.groups)
    logging.info("%d images, features in %s", len(images), Path(paths.features).name)


def extract(stage: FeaturesStage, card: ExtractorCard, images: ImageSet) -> Features:
    """Return the features of the images, of their structure and of the prompt."""
    from pipeline_lib.evaluation.extractors.contract import extractor_to_description
    from pipeline_lib.evaluation.extractors.loading import load_extractor
    from pipeline_lib.evaluation.image_sets import Features
    from pipeline_lib.evaluation.structure import STRUCTURE_SIGMA, images_to_structure
    from pipeline_lib.files import provenance
    from pipeline_lib.models.devices import default_device

    device = str(default_device())
    extractor = load_extractor(card, device)
    values = run(extractor, images.images, stage.batch_size, "features")
    blurred = images_to_structure(images.images)
    structure = run(extractor, blurred, stage.batch_size, "features of the structure")
    metadata = {
        **extractor_to_description(extractor),
        "structure": f"Gaussian of {STRUCTURE_SIGMA:g} pixels before all else",
        "prompt": stage.prompt,
        "device": device,
        "provenance": provenance("features", stage.model_dump()),
    }
    prompt = prompt_to_features(stage.prompt, card, device)
    return Features(values, structure, images.names, metadata, prompt)


def prompt_to_features(prompt: str | None, card: ExtractorCard, device: str) -> Any:
    """Return the features of the prompt, none where there is none."""
    if prompt is None:
        return None
    from pipeline_lib.evaluation.extractors.clip import load_prompt_encoder, prompts_to_features

    if card.family != "clip" or card.weights is None:
        raise UserError(f"extractor `{card.name}` reads no text; leave `prompt` out of --settings")
    encoder = load_prompt_encoder(Path(card.weights), card.sha256, device)
    return prompts_to_features(encoder, [prompt])[0]


def run(extractor: Any, images: Any, batch_size: int, words: str) -> Any:
    """Run the extractor with a progress bar."""
    import numpy as np
    from tqdm import tqdm

    from pipeline_lib.evaluation.extractors.contract import iterate_features

    batches = tqdm(
        iterate_features(extractor, images, batch_size),
        total=-(-len(images) // batch_size),
        desc=words,
        unit="batch",
        disable=None,
    )
    return np.concatenate([np.zeros((0, extractor.dimensions), np.float32), *batches])


if __name__ == "__main__":
    run_stage(__doc__, FeaturesStage, PATHS, work)
