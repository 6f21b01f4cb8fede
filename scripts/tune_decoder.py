"""Tune the decoder of a base model's autoencoder to a dataset's training tiles, resumably.

The encoder stays as it is, and so do all latents and what is trained on them. Which step's weights
go on is judged on validation tiles, and the base model's own stay where tuning did not better them.
Held-out tiles are not read here. SIGTERM saves at the end of the step and exits with 75: run the
same command again.
"""

from __future__ import annotations

import argparse
import logging
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline_lib.command_line import run_stage
from pipeline_lib.files import atomic_path, read_json, write_json
from pipeline_lib.imaging.stacks import read_stack
from pipeline_lib.imaging.views import View, modality_to_views
from pipeline_lib.settings.decoder import DecoderStage
from pipeline_lib.training.cards import state_to_card, write_card
from pipeline_lib.training.checkpoints import training_key
from pipeline_lib.training.publishing import train_once
from pipeline_lib.training.refusals import refuse_no_tiles
from pipeline_lib.training.state import (
    DESCRIPTION,
    MODEL,
    begun_with,
    give_out,
    made_with,
    mark_finished,
)
from pipeline_lib.versions import RESULT_VERSION

if TYPE_CHECKING:
    from pipeline_lib.decoder.objective import TunedDecoder
    from pipeline_lib.decoder.tiles import EncodedTiles
    from pipeline_lib.training.trainer import Trainer

PATHS = {
    "model": "the base model (.json)",
    "latents": "latents of the training and validation tiles (.safetensors)",
    "train": "tiles to train on (.tif)",
    "validation": "tiles to validate with (.tif), may be none",
    "state": "folder of the trainings' states",
    "tuned": "folder to write: the autoencoder with the tuned decoder, and decoder.json",
    "history": "log to write (.csv)",
    "previews": "pictures to write (.png)",
}


def tune_decoder(stage: DecoderStage, paths: argparse.Namespace) -> None:
    """Tune, or go on, or take what an equal training left; then write the outputs."""
    from pipeline_lib.decoder.tiles import decoder_fingerprint
    from pipeline_lib.models.decoders import DECODER_CARD

    train, validation = read_tiles(stage, paths)
    files = read_json(paths.model)["files"]
    fingerprint = decoder_fingerprint(stage.decoder, files, train, validation)
    key = training_key(fingerprint, RESULT_VERSION["tune_decoder"])

    def give(folder: Path) -> None:
        named = {"base": stage.base, "dataset": stage.dataset, "tiles": len(train.grey)}
        card = state_to_card(folder, "tune_decoder", stage, fingerprint, **named)
        finish = partial(write_card, name=DECODER_CARD, card=card)
        give_out(folder, paths.tuned, paths.history, paths.previews, finish)

    train_once(
        paths.state,
        key,
        paths.tuned,
        lambda folder: train_decoder(stage, paths.model, train, validation, folder),
        give,
        done="tuned",
    )


def read_tiles(stage: DecoderStage, paths: argparse.Namespace) -> list[EncodedTiles]:
    """Return training and validation tiles with their latents, in an order of their own."""
    from safetensors.numpy import load_file

    from pipeline_lib.decoder.tiles import EncodedTiles

    latents = load_file(paths.latents)
    views = {"train": modality_to_views(stage.modality), "validation": (View(),)}
    tiles = {
        role: EncodedTiles(
            read_stack(getattr(paths, role)),
            latents[f"{role}.mean"],
            latents[f"{role}.std"],
            views[role],
        )
        for role in views
    }
    refuse_no_tiles(stage.dataset, len(tiles["train"].grey))
    return [one.in_order() for one in tiles.values()]


def train_decoder(
    stage: DecoderStage, model: Path, train: EncodedTiles, validation: EncodedTiles, folder: Path
) -> None:
    """Train to the end, write the chosen decoder into the state folder, and clear the rest."""
    from pipeline_lib.decoder.choice import put_chosen_in_place
    from pipeline_lib.models.decoders import AUTOENCODER, encoder_to_sha256
    from pipeline_lib.training.running import run_training

    trainer = make_trainer(stage, model, train, validation, folder)
    run_training(trainer, folder, f"decoder, {stage.dataset}")
    objective: TunedDecoder = trainer.objective
    chosen = put_chosen_in_place(objective, trainer.average.averages, folder)
    logging.info("%s", chosen.in_words())
    with atomic_path(folder / MODEL) as beside:
        objective.autoencoder.save_pretrained(beside / AUTOENCODER)
    said = {
        "encoder": encoder_to_sha256(objective.autoencoder),
        **{"checkpoint": asdict(chosen.choice), "before": chosen.before, "after": chosen.after},
        "made_with": made_with(folder, trainer.accelerator.device),
    }
    write_json(folder / DESCRIPTION, said)
    mark_finished(folder)


def make_trainer(
    stage: DecoderStage, model: Path, train: EncodedTiles, validation: EncodedTiles, folder: Path
) -> Trainer:
    """Load the autoencoder and make the loop's trainer of its decoder."""
    from pipeline_lib.decoder.objective import TunedDecoder
    from pipeline_lib.models.decoders import load_autoencoder
    from pipeline_lib.models.devices import default_device
    from pipeline_lib.models.loading import precision_to_dtype
    from pipeline_lib.training.course import tuning_to_course
    from pipeline_lib.training.devices import make_accelerator
    from pipeline_lib.training.trainer import Trainer

    settings, device = stage.decoder, default_device()
    dtype = begun_with(folder, precision_to_dtype(settings.precision, device))
    autoencoder = load_autoencoder(Path(read_json(model)["folder"]), device)
    objective = TunedDecoder(autoencoder, train, validation, settings)
    return Trainer(
        objective, tuning_to_course(settings, device.type), make_accelerator(dtype, device)
    )


if __name__ == "__main__":
    run_stage(__doc__, DecoderStage, PATHS, tune_decoder)
