"""Fine-tune a base model on the tiles of one or several concepts (DreamBooth), resumably.

The state is kept in a folder named by a hash of all settings and inputs: run the same command again
after any interruption and it goes on. SIGTERM saves at the end of the step and exits with 75.
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline_lib.command_line import run_stage
from pipeline_lib.dreambooth.assignment import assign_identifiers, check_identifiers
from pipeline_lib.dreambooth.checkpoints import exclusive, training_key
from pipeline_lib.dreambooth.state import MODEL, clear, give_out, is_finished, mark_finished
from pipeline_lib.files import atomic_path, file_to_sha256, provenance, read_json
from pipeline_lib.settings import FinetuneStage, UserError
from pipeline_lib.versions import RESULT_VERSION

if TYPE_CHECKING:
    import torch

    from pipeline_lib.dreambooth.trainer import Trainer

PATHS = {
    "model": "the base model (.json)",
    "identifiers": "ranked identifiers (.json)",
    "latents...": "latent caches (.safetensors), one a concept, in their order",
    "priors...": "class latents (.safetensors), all shards of all priors; none trains without",
    "state": "folder of the trainings' states",
    "trained": "folder to write: the model in the diffusers layout and brightbooth.json",
    "history": "log to write (.csv)",
    "previews": "pictures to write (.png)",
}


def finetune(stage: FinetuneStage, paths: argparse.Namespace) -> None:
    """Train, or go on, or take what an equal training left; then write the outputs."""
    ranked = [candidate["token"] for candidate in read_json(paths.identifiers)]
    identifiers = assign_identifiers(stage.concepts, ranked)
    inputs = {
        "model": read_json(paths.model)["files"],
        "identifiers": identifiers,
        "latents": [file_to_sha256(path) for path in paths.latents],
        "priors": [file_to_sha256(path) for path in paths.priors],
    }
    settings = stage.model_dump(mode="json")
    folder = paths.state / training_key(settings, RESULT_VERSION["finetune"], inputs)
    with exclusive(folder):
        if is_finished(folder):
            logging.info("already trained: taking the model from %s", folder)
            clear(folder)
        else:
            train(stage, paths, identifiers, folder, inputs)
        give_out(folder, paths.trained, paths.history, paths.previews)


def train(
    stage: FinetuneStage,
    paths: argparse.Namespace,
    identifiers: tuple[str, ...],
    folder: Path,
    inputs: dict[str, Any],
) -> None:
    """Train to the end, write the final model into the state folder, and clear the rest."""
    from tqdm import tqdm

    from pipeline_lib.dreambooth.export import export_model
    from pipeline_lib.dreambooth.training import (
        RESUME_EXIT,
        StoppedError,
        stop_on_signals,
        training_steps,
    )

    trainer = make_trainer(stage, paths, identifiers)
    try:
        with (
            stop_on_signals() as stop,
            tqdm(total=stage.training.steps, desc=stage.run, unit="step", disable=None) as bar,
        ):
            for progress in training_steps(trainer, folder, stop):
                bar.update(progress.step - bar.n)
                bar.set_postfix(loss=f"{progress.figures['loss']:.3f}", refresh=False)
    except StoppedError as stopped:
        logging.info("%s; run the same command again to go on", stopped)
        raise SystemExit(RESUME_EXIT) from None
    with atomic_path(folder / MODEL) as beside, trainer.average.applied():
        export_model(trainer.model, beside, make_card(stage, trainer, identifiers, inputs))
    mark_finished(folder)


def make_trainer(
    stage: FinetuneStage, paths: argparse.Namespace, identifiers: tuple[str, ...]
) -> Trainer:
    """Load model, latents and class latents, and check that they fit."""
    from safetensors.torch import load_file

    from pipeline_lib.dreambooth.trainer import Trainer
    from pipeline_lib.dreambooth.training_data import assemble
    from pipeline_lib.models.loading import load_model

    model = load_model(paths.model)
    check_identifiers(stage.concepts, identifiers, model.tokenizers)
    caches = [load_file(path) for path in paths.latents]
    priors = load_priors(paths.priors) if stage.training.prior_weight > 0 else {}
    wanted = [concept.class_prompt for concept in stage.concepts if concept.class_prompt]
    missing = [prompt for prompt in wanted if prompt not in priors]
    if missing and stage.training.prior_weight > 0:
        raise UserError(
            f"no class images were given for the class prompt {missing[0]!r} (--priors); set "
            "training.prior_weight: 0 to train without."
        )
    data = assemble(model, stage.concepts, identifiers, caches, priors)
    return Trainer(model, data, stage.training)


def load_priors(paths: list[Path]) -> dict[str, torch.Tensor]:
    """Return the class latents by class prompt, shards in the order given."""
    import torch
    from safetensors import safe_open

    shards: dict[str, list[torch.Tensor]] = {}
    for path in paths:
        with safe_open(path, framework="pt") as file:
            origin = json.loads(file.metadata()["origin"])
            prompt = origin["settings"]["prior"]["class_prompt"]
            shards.setdefault(prompt, []).append(file.get_tensor("latents"))
    return {prompt: torch.cat(parts) for prompt, parts in shards.items()}


def make_card(
    stage: FinetuneStage, trainer: Trainer, identifiers: tuple[str, ...], inputs: dict[str, Any]
) -> dict[str, Any]:
    """Return what brightbooth.json says of the trained model."""
    concepts = {
        concept.concept: {
            "identifier": identifier,
            "noun": concept.noun,
            "modality": concept.modality,
            "dataset": concept.dataset,
            "prompt": subject.prompt,
            "class_prompt": concept.class_prompt,
            "tiles": len(subject.mean),
        }
        for concept, identifier, subject in zip(
            stage.concepts, identifiers, trainer.data.subjects, strict=True
        )
    }
    settings = stage.model_dump(mode="json")
    made = provenance("finetune", settings)
    return {
        "name": stage.run,
        "base": stage.base,
        "licence": trainer.model.card.get("licence", ""),
        "size": trainer.size,
        "concepts": concepts,
        "settings": settings,
        "provenance": {
            **made,
            "inputs": inputs,
            "version": RESULT_VERSION["finetune"],
            "device": str(trainer.model.device),
            "precision": str(trainer.dtype).removeprefix("torch."),
        },
    }


if __name__ == "__main__":
    run_stage(__doc__, FinetuneStage, PATHS, finetune)
