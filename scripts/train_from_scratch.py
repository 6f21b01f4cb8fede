"""Train a diffusion model without prompts on the tiles of one or several concepts, resumably.

It begins with random weights, to compare DreamBooth with. The state is kept in a folder named by a
hash of all that shapes the weights: run the same command again after any interruption and it goes
on. SIGTERM, and the end of `wall_minutes`, save at the end of the step and exit with 75.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline_lib.command_line import run_stage
from pipeline_lib.evaluation.judge_paths import JUDGE_PATHS, judge_lists
from pipeline_lib.files import provenance, read_json
from pipeline_lib.imaging.stacks import read_stack
from pipeline_lib.imaging.views import modality_to_views
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.from_scratch import ScratchStage
from pipeline_lib.training.checkpoints import training_key
from pipeline_lib.training.publishing import train_once
from pipeline_lib.training.state import (
    DESCRIPTION,
    begun_with,
    give_out,
)
from pipeline_lib.versions import RESULT_VERSION

if TYPE_CHECKING:
    import torch
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    from pipeline_lib.dreambooth.judgement import Yardsticks
    from pipeline_lib.evaluation.yardstick_files import RealTiles
    from pipeline_lib.from_scratch.inputs import ScratchInputs
    from pipeline_lib.from_scratch.tiles import Tiles
    from pipeline_lib.models.unconditional import UnconditionalModel
    from pipeline_lib.training.trainer import Trainer

PATHS = {
    "model": "the base model (.json) that it is compared with; its autoencoder is used",
    "tiles...": "tiles to train on (.tif), one a concept, where `space` is `pixels`",
    "validation...": "tiles to validate with (.tif), likewise",
    "latents...": "latent caches (.safetensors), one a concept, where `space` is `latents`",
    "judge...": "the extractor that judges pictures (.json); then also, one a concept in order:",
    **JUDGE_PATHS,
    "state": "folder of the trainings' states",
    "trained": "folder to write: the model in the diffusers layout and brightbooth.json",
    "history": "log to write (.csv)",
    "previews": "pictures to write (.png)",
}


def train_from_scratch(stage: ScratchStage, paths: argparse.Namespace) -> None:
    """Train, or go on, or take what an equal training left; then write the outputs."""
    from pipeline_lib.evaluation.training_judges import judges_to_sha256, read_judges
    from pipeline_lib.from_scratch.export import write_card
    from pipeline_lib.from_scratch.inputs import scratch_fingerprint

    inputs = read_inputs(stage, paths)
    base = read_json(paths.model)
    names = [one.concept for one in stage.concepts]
    judged_by = read_judges(paths.judge, judge_lists(paths), names, stage.training.keep)
    judges = judges_to_sha256(judged_by, paths.judge)
    fingerprint = scratch_fingerprint(stage.training, base["files"], inputs, judges)
    key = training_key(fingerprint, RESULT_VERSION["train_from_scratch"])

    def give(folder: Path) -> None:
        card = make_card(stage, inputs, fingerprint, folder)
        finish = partial(write_card, card=card)
        give_out(folder, paths.trained, paths.history, paths.previews, finish)

    train_once(
        paths.state,
        key,
        paths.trained,
        lambda folder: train(stage, paths, inputs, folder, judged_by),
        give,
    )


def read_inputs(stage: ScratchStage, paths: argparse.Namespace) -> tuple[ScratchInputs, ...]:
    """Return the concepts with their tiles, in an order of their own."""
    from pipeline_lib.from_scratch.inputs import ScratchInputs, inputs_in_order

    in_pixels = stage.training.space == "pixels"
    needed = ("tiles", "validation") if in_pixels else ("latents",)
    for kind in needed:
        given = getattr(paths, kind)
        if len(given) != len(stage.concepts):
            raise UserError(
                f"--{kind} needs one path a concept ({len(stage.concepts)}) where `space` is "
                f"`{stage.training.space}`, found {len(given)}"
            )
    files = zip(*(getattr(paths, kind) for kind in needed), strict=True)
    return inputs_in_order(
        [
            ScratchInputs(one, read_tiles(own, one.modality))
            for one, own in zip(stage.concepts, files, strict=True)
        ]
    )


def read_tiles(files: Sequence[Path], modality: str) -> Tiles:
    """Return the tiles of a concept: of stacks of pixels, or of a latent cache."""
    from safetensors.numpy import load_file

    from pipeline_lib.from_scratch.tiles import LatentTiles, PixelTiles

    if len(files) == 1:
        return LatentTiles.of_cache(load_file(files[0]))
    train, validation = (read_stack(path) for path in files)
    return PixelTiles(train, validation, modality_to_views(modality))


def train(
    stage: ScratchStage,
    paths: argparse.Namespace,
    inputs: Sequence[ScratchInputs],
    folder: Path,
    judged_by: Mapping[str, RealTiles],
) -> None:
    """Train to the end, write the final model into the state folder, and clear the rest."""
    from pipeline_lib.from_scratch.export import write_weights
    from pipeline_lib.training.finishing import write_chosen
    from pipeline_lib.training.running import run_training

    trainer = make_trainer(stage, paths, inputs, folder, judged_by)
    run_training(trainer, folder, stage.run, stage.training.wall_minutes)
    model, size = trainer.objective.model, trainer.objective.drawing.size
    write_chosen(
        trainer,
        folder,
        lambda place: {
            "model": write_weights(model, place),
            "size": size,
            "value_shape": model.value_shape(size),
        },
    )


def make_trainer(
    stage: ScratchStage,
    paths: argparse.Namespace,
    inputs: Sequence[ScratchInputs],
    folder: Path,
    judged_by: Mapping[str, RealTiles],
) -> Trainer:
    """Make the untrained model, and the loop's trainer of it."""
    from pipeline_lib.from_scratch.network import prepare_network
    from pipeline_lib.from_scratch.objective import FromScratch, settings_to_course
    from pipeline_lib.models.decoders import load_autoencoder
    from pipeline_lib.models.devices import default_device
    from pipeline_lib.models.loading import precision_to_dtype
    from pipeline_lib.training.devices import make_accelerator
    from pipeline_lib.training.trainer import Trainer

    settings, device, base = stage.training, default_device(), read_json(paths.model)
    dtype = begun_with(folder, precision_to_dtype(settings.precision, device))
    vae = None
    if settings.space == "latents" or judged_by:
        vae = load_autoencoder(Path(base["folder"]), device)
    accelerator = make_accelerator(dtype, device, folder if settings.tensorboard else None)
    model, size = make_model(stage, inputs, base, vae, device)
    prepare_network(model.unet, settings)
    yardsticks = make_yardsticks(stage, vae, paths.judge, judged_by, device)
    objective = FromScratch(model, inputs, size, settings, dtype, yardsticks)
    course = settings_to_course(settings, device, yardsticks is not None)
    return Trainer(objective, course, accelerator)


def make_model(
    stage: ScratchStage,
    inputs: Sequence[ScratchInputs],
    base: Mapping[str, Any],
    vae: AutoencoderKL | None,
    device: torch.device,
) -> tuple[UnconditionalModel, int]:
    """Return the untrained model, and the side of its pictures in pixels."""
    from pipeline_lib.from_scratch.network import settings_to_network
    from pipeline_lib.from_scratch.tiles import tiles_to_coding
    from pipeline_lib.models.pictures import vae_to_factor
    from pipeline_lib.models.schedulers import velocity_schedule
    from pipeline_lib.models.unconditional import UnconditionalModel

    settings, patch = stage.training, stage.training.patch
    if settings.space == "pixels":
        coding, cell = tiles_to_coding([one.tiles.train for one in inputs], settings.patch), patch
        channels, side = patch**2, inputs[0].tiles.train.shape[-1] // patch
    else:
        coding, cell = None, vae_to_factor(vae)
        channels, side = inputs[0].tiles.mean.shape[-3], inputs[0].tiles.mean.shape[-1]
    network = settings_to_network(settings, channels, side, len(inputs)).to(device)
    kept = None if coding else vae
    schedule = dict(velocity_schedule().config)
    place, size = Path(base["folder"]), side * cell
    model = UnconditionalModel(network, schedule, place, dict(base), coding, kept)
    model.value_shape(size)  # refuses what the network cannot halve
    return model, size


def make_yardsticks(
    stage: ScratchStage,
    vae: AutoencoderKL | None,
    card: Sequence[Path],
    judged_by: Mapping[str, RealTiles],
    device: torch.device,
) -> Yardsticks | None:
    """Return what pictures are judged by, none without a judge; the class is none of it."""
    if not judged_by:
        return None
    from pipeline_lib.dreambooth.judgement import Yardsticks
    from pipeline_lib.dreambooth.latents import round_trip
    from pipeline_lib.evaluation.extractors.loading import load_extractor, read_card
    from pipeline_lib.evaluation.training_judges import judges_to_measures
    from pipeline_lib.evaluation.yardstick_files import extractor_to_structure_features
    from pipeline_lib.evaluation.yardsticks import features_to_drift
    from pipeline_lib.models.pictures import Autoencoder

    features = extractor_to_structure_features(load_extractor(read_card(card[0]), device))
    decode = partial(round_trip, Autoencoder(vae), batch_size=16)
    modalities = {one.concept: one.modality for one in stage.concepts}
    count = stage.training.judge_count
    measures = judges_to_measures(judged_by, modalities, features, decode, count)
    return Yardsticks(features, features_to_drift, measures, {})


def make_card(
    stage: ScratchStage, inputs: Sequence[ScratchInputs], fingerprint: dict[str, Any], folder: Path
) -> dict[str, Any]:
    """Return what brightbooth.json says of the trained model."""
    from pipeline_lib.from_scratch.inputs import inputs_to_labels

    settings = stage.model_dump(mode="json")
    told = read_json(folder / DESCRIPTION)
    labels = inputs_to_labels(inputs)
    return {
        **told["model"],
        "name": stage.run,
        "base": stage.base,
        "size": told["size"],
        "value_shape": told["value_shape"],
        "concepts": {
            one.concept.concept: one.description(labels[one.concept.concept]) for one in inputs
        },
        "settings": settings,
        **({"checkpoint": told["checkpoint"]} if "checkpoint" in told else {}),
        "provenance": {
            **provenance("train_from_scratch", settings),
            "inputs": fingerprint,
            "version": RESULT_VERSION["train_from_scratch"],
            **told["made_with"],
        },
    }


if __name__ == "__main__":
    run_stage(__doc__, ScratchStage, PATHS, train_from_scratch)
