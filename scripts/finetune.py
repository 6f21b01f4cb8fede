"""Fine-tune a base model on the tiles of one or several concepts (DreamBooth), resumably.

The state is kept in a folder named by a hash of all that shapes the weights: run the same command
again after any interruption and it goes on. SIGTERM, and the end of `training.wall_minutes`, save
at the end of the step and exit with 75.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline_lib.command_line import run_stage
from pipeline_lib.evaluation.judge_paths import JUDGE_PATHS, judge_lists
from pipeline_lib.files import provenance, read_json, value_to_sha256
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.training import FinetuneStage
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

    from pipeline_lib.dreambooth.inputs import Array, ConceptInputs
    from pipeline_lib.dreambooth.judgement import Yardsticks
    from pipeline_lib.evaluation.yardstick_files import RealTiles
    from pipeline_lib.models.loading import BaseModel
    from pipeline_lib.training.trainer import Trainer

PATHS = {
    "model": "the base model (.json)",
    "identifiers...": "ranked identifiers (.json), one for each concept whose identifier is `auto`",
    "latents...": "latent caches (.safetensors), one a concept, in their order",
    "priors...": "class latents (.safetensors), all shards of all priors; none trains without",
    "tables...": "tables of the training tiles (.tsv) of the concepts whose prompt names {caption}",
    "decoders...": "folders of decoders tuned to the concepts' datasets, given out with the model",
    "judge...": "the extractor that judges pictures (.json); then also, one a concept in order:",
    **JUDGE_PATHS,
    "state": "folder of the trainings' states",
    "trained": "folder to write: the model in the diffusers layout and brightbooth.json",
    "history": "log to write (.csv)",
    "previews": "pictures to write (.png)",
}


def finetune(stage: FinetuneStage, paths: argparse.Namespace) -> None:
    """Train, or go on, or take what an equal training left; then write the outputs."""
    from pipeline_lib.dreambooth.decoder_export import concepts_to_decoders, decoders_to_sha256
    from pipeline_lib.dreambooth.export import write_card
    from pipeline_lib.dreambooth.inputs import training_fingerprint
    from pipeline_lib.evaluation.training_judges import judges_to_sha256

    concepts = read_concepts(stage, paths)
    priors = read_priors(stage, paths.priors)
    files = read_json(paths.model)["files"]
    judged_by = read_judges(paths, stage)
    fingerprint = training_fingerprint(
        stage.training, files, concepts, priors, judges_to_sha256(judged_by, paths.judge)
    )
    key = training_key(fingerprint, RESULT_VERSION["finetune"])
    decoders = concepts_to_decoders(stage.concepts, paths.decoders)
    order = value_to_sha256([key, decoders_to_sha256(decoders)]) if decoders else key

    def give(folder: Path) -> None:
        card = make_card(stage, concepts, fingerprint | {"model": files}, folder)
        finish = partial(write_card, card=card, decoders=decoders)
        give_out(folder, paths.trained, paths.history, paths.previews, finish)

    train_once(
        paths.state,
        key,
        paths.trained,
        lambda folder: train(stage, paths, concepts, priors, folder, judged_by),
        give,
        order,
    )


def read_concepts(stage: FinetuneStage, paths: argparse.Namespace) -> tuple[ConceptInputs, ...]:
    """Return the concepts with their identifiers, tiles and captions, in an order of their own."""
    from safetensors.numpy import load_file

    from pipeline_lib.dreambooth.assignment import assign_identifiers
    from pipeline_lib.dreambooth.captions import read_concept_captions
    from pipeline_lib.dreambooth.inputs import ConceptInputs, concepts_in_order

    captions = read_concept_captions(stage.concepts, paths.tables)
    rankings = [[one["token"] for one in read_json(path)] for path in paths.identifiers]
    said = {word for told in captions.values() for word in told}
    identifiers = assign_identifiers(stage.concepts, rankings, said)
    return concepts_in_order(
        [
            ConceptInputs(concept, identifier, load_file(path), captions.get(concept.concept, ()))
            for concept, identifier, path in zip(
                stage.concepts, identifiers, paths.latents, strict=True
            )
        ]
    )


def read_priors(stage: FinetuneStage, paths: Sequence[Path]) -> dict[str, Array]:
    """Return the class latents by class prompt, shards in the order given."""
    import numpy as np
    from safetensors import safe_open

    if stage.training.prior_weight == 0:
        return {}
    shards: dict[str, list[Array]] = {}
    for path in paths:
        with safe_open(path, framework="numpy") as file:
            origin = json.loads(file.metadata()["origin"])
            prompt = origin["settings"]["prior"]["class_prompt"]
            shards.setdefault(prompt, []).append(file.get_tensor("latents"))
    wanted = [concept.class_prompt for concept in stage.concepts if concept.class_prompt]
    missing = [prompt for prompt in wanted if prompt not in shards]
    if missing:
        raise UserError(
            f"no class images were given for the class prompt {missing[0]!r} (--priors); set "
            "training.prior_weight: 0 to train without."
        )
    return {prompt: np.concatenate(parts) for prompt, parts in shards.items()}


def read_judges(paths: argparse.Namespace, stage: FinetuneStage) -> dict[str, RealTiles]:
    """Return the real tiles that pictures are compared with by concept, none without a judge."""
    from pipeline_lib.evaluation import training_judges

    names = [one.concept for one in stage.concepts]
    keep = stage.training.keep
    return training_judges.read_judges(paths.judge, judge_lists(paths), names, keep)


def train(
    stage: FinetuneStage,
    paths: argparse.Namespace,
    concepts: Sequence[ConceptInputs],
    priors: dict[str, Array],
    folder: Path,
    judged_by: Mapping[str, RealTiles],
) -> None:
    """Train to the end, write the final model into the state folder, and clear the rest."""
    from pipeline_lib.dreambooth.export import write_weights
    from pipeline_lib.training.finishing import write_chosen
    from pipeline_lib.training.running import run_training

    trainer = make_trainer(stage, paths, concepts, priors, folder, judged_by)
    run_training(trainer, folder, stage.run, stage.training.wall_minutes)
    model = trainer.objective.model
    write_chosen(trainer, folder, lambda place: {"model": write_weights(model, place, stage.base)})


def make_trainer(
    stage: FinetuneStage,
    paths: argparse.Namespace,
    concepts: Sequence[ConceptInputs],
    priors: dict[str, Array],
    folder: Path,
    judged_by: Mapping[str, RealTiles],
) -> Trainer:
    """Load the model, check that all fits it, and make the loop's trainer of it."""
    from pipeline_lib.dreambooth.assignment import check_identifiers
    from pipeline_lib.dreambooth.objective import DreamBooth, settings_to_course
    from pipeline_lib.dreambooth.training_data import assemble
    from pipeline_lib.dreambooth.weights import prepare_model
    from pipeline_lib.models.loading import load_model, precision_to_dtype
    from pipeline_lib.training.devices import make_accelerator
    from pipeline_lib.training.trainer import Trainer

    settings, base = stage.training, load_model(paths.model)
    said = {word for one in concepts for word in one.captions}
    tokens = [one.identifier for one in concepts]
    check_identifiers([one.concept for one in concepts], tokens, base.tokenizers, said)
    dtype = begun_with(folder, precision_to_dtype(settings.precision, base.device))
    tracked = folder if settings.tensorboard else None
    accelerator = make_accelerator(dtype, base.device, tracked)
    prepare_model(base, settings, dtype)
    data = assemble(
        base,
        [one.concept for one in concepts],
        tokens,
        [arrays_to_tensors(one.latents) for one in concepts],
        arrays_to_tensors(priors),
        {one.concept.concept: one.captions for one in concepts},
        settings.caption_dropout,
    )
    yardsticks = make_yardsticks(stage, base, paths.judge, judged_by)
    objective = DreamBooth(base, data, settings, dtype, yardsticks)
    course = settings_to_course(settings, base.device, yardsticks is not None)
    return Trainer(objective, course, accelerator)


def make_yardsticks(
    stage: FinetuneStage,
    model: BaseModel,
    card: Sequence[Path],
    judged_by: Mapping[str, RealTiles],
) -> Yardsticks | None:
    """Return what pictures are judged by, none without a judge."""
    if not judged_by:
        return None
    from pipeline_lib.dreambooth.judgement import Yardsticks
    from pipeline_lib.dreambooth.latents import round_trip
    from pipeline_lib.dreambooth.training_data import concept_to_class_prompt
    from pipeline_lib.evaluation.extractors.loading import load_extractor, read_card
    from pipeline_lib.evaluation.training_judges import judges_to_measures
    from pipeline_lib.evaluation.yardstick_files import extractor_to_structure_features
    from pipeline_lib.evaluation.yardsticks import features_to_drift

    features = extractor_to_structure_features(load_extractor(read_card(card[0]), model.device))
    decode = partial(round_trip, model, batch_size=16)
    count = stage.training.judge_count
    modalities = {one.concept: one.modality for one in stage.concepts}
    return Yardsticks(
        features,
        features_to_drift,
        judges_to_measures(judged_by, modalities, features, decode, count),
        {one.concept: concept_to_class_prompt(one) for one in stage.concepts},
    )


def arrays_to_tensors(arrays: Mapping[str, Array]) -> dict[str, torch.Tensor]:
    """Return arrays as tensors, by the same names."""
    import torch

    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def make_card(
    stage: FinetuneStage, concepts: Sequence[ConceptInputs], inputs: dict[str, Any], folder: Path
) -> dict[str, Any]:
    """Return what brightbooth.json says of the trained model."""
    settings = stage.model_dump(mode="json")
    side = concepts[0].latents["train.mean"].shape[-1]
    told = read_json(folder / DESCRIPTION)
    return {
        **told["model"],
        "name": stage.run,
        "base": stage.base,
        "size": side * told["model"]["downsampling"],
        "concepts": {one.concept.concept: one.description() for one in concepts},
        "settings": settings,
        **({"checkpoint": told["checkpoint"]} if "checkpoint" in told else {}),
        "provenance": {
            **provenance("finetune", settings),
            "inputs": inputs,
            "version": RESULT_VERSION["finetune"],
            **told["made_with"],
        },
    }


if __name__ == "__main__":
    run_stage(__doc__, FinetuneStage, PATHS, finetune)
