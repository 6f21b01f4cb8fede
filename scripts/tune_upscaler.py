"""Tune an upscaler to a dataset's training tiles and their means of 4 x 4 pixels, resumably.

The UNet alone is trained. Which step's weights go on is judged on validation tiles; held-out tiles
are not read here. SIGTERM saves at the end of the step and exits with 75: run the command again.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline_lib.command_line import run_stage
from pipeline_lib.files import folder_to_sha256
from pipeline_lib.imaging.stacks import read_stack
from pipeline_lib.imaging.views import modality_to_views
from pipeline_lib.settings.superresolution import UpscalerStage
from pipeline_lib.training.cards import state_to_card, write_card
from pipeline_lib.training.checkpoints import training_key
from pipeline_lib.training.publishing import train_once
from pipeline_lib.training.refusals import refuse_no_tiles
from pipeline_lib.training.state import begun_with, give_out
from pipeline_lib.versions import RESULT_VERSION

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

CARD = "upscaler.json"
PATHS = {
    "model": "folder of the upscaler, in the layout of StableDiffusionUpscalePipeline",
    "train": "tiles to train on (.tif)",
    "validation": "tiles to validate with (.tif), may be none",
    "state": "folder of the trainings' states",
    "tuned": "folder to write: the tuned UNet, and upscaler.json",
    "history": "log to write (.csv)",
    "previews": "pictures to write (.png)",
}


def tune_upscaler(stage: UpscalerStage, paths: argparse.Namespace) -> None:
    """Tune, or go on, or take what an equal training left; then write the outputs."""
    from pipeline_lib.superresolution.objective import tiles_in_order, upscaler_fingerprint

    train, validation = read_stack(paths.train), read_stack(paths.validation)
    refuse_no_tiles(stage.dataset, len(train))
    train, validation = tiles_in_order(train), tiles_in_order(validation)
    files = folder_to_sha256(paths.model)
    fingerprint = upscaler_fingerprint(stage, files, train, validation)
    key = training_key(fingerprint, RESULT_VERSION["tune_upscaler"])

    def give(folder: Path) -> None:
        named = {"dataset": stage.dataset, "tiles": len(train)}
        card = state_to_card(folder, "tune_upscaler", stage, fingerprint, **named)
        finish = partial(write_card, name=CARD, card=card)
        give_out(folder, paths.tuned, paths.history, paths.previews, finish)

    train_once(
        paths.state,
        key,
        paths.tuned,
        lambda folder: train_upscaler(stage, paths.model, train, validation, folder),
        give,
        done="tuned",
    )


def train_upscaler(
    stage: UpscalerStage,
    model: Path,
    train: npt.NDArray[np.uint8],
    validation: npt.NDArray[np.uint8],
    folder: Path,
) -> None:
    """Train to the end, write the chosen UNet into the state folder, and clear the rest."""
    from pipeline_lib.models.devices import default_device
    from pipeline_lib.models.loading import precision_to_dtype
    from pipeline_lib.superresolution.objective import TunedUpscaler
    from pipeline_lib.superresolution.upscalers import UNET, load_upscaler
    from pipeline_lib.training.course import tuning_to_course
    from pipeline_lib.training.devices import make_accelerator
    from pipeline_lib.training.finishing import write_chosen
    from pipeline_lib.training.running import run_training
    from pipeline_lib.training.trainer import Trainer

    device = default_device()
    dtype = begun_with(folder, precision_to_dtype(stage.tuning.precision, device))
    views = modality_to_views(stage.modality)
    objective = TunedUpscaler(load_upscaler(model, device), train, validation, views, stage)
    course = tuning_to_course(stage.tuning, device.type)
    trainer = Trainer(objective, course, make_accelerator(dtype, device))
    run_training(trainer, folder, f"upscaler, {stage.dataset}")

    def write(place: Path) -> dict[str, Any]:
        objective.upscaler.unet.save_pretrained(place / UNET)
        return {"noise_level": objective.level}

    write_chosen(trainer, folder, write)


if __name__ == "__main__":
    run_stage(__doc__, UpscalerStage, PATHS, tune_upscaler)
