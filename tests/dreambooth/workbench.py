"""A toy base model with tiles, latents, class latents and identifiers, and the two scripts."""

from __future__ import annotations

import importlib.util
import json
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from scipy.ndimage import gaussian_filter

from pipeline_lib.files import folder_to_sha256, write_json
from pipeline_lib.imaging.stacks import write_stack
from pipeline_lib.settings.latents import LatentsStage
from pipeline_lib.settings.training import FinetuneStage
from pipeline_lib.training.trainer import Trainer
from tests.toy_models import build_toy_model

EMBEDDED = Path(__file__).parents[2] / "resources" / "base_models" / "brightfield-tiny"
LATENT_CHANNELS = {"tiny": 8, "embedded": 16}
SIZE = 64
CLASS_PROMPT = "a brightfield microscopy image of cells"
CONCEPT = {
    "concept": "single",
    "dataset": "single-64",
    "identifier": "auto",
    "noun": "cells",
    "modality": "brightfield",
    "training_prompt": "a {modality} microscopy image of {subject}",
    "class_prompt": CLASS_PROMPT,
}
TRAINING = {
    "steps": 4,
    "batch_size": 2,
    "learning_rate": 1e-3,
    "text_encoder_learning_rate": 1e-3,
    "warmup_steps": 2,
    "checkpoint_every": 2,
    "judge_every": 2,
    "preview_every": 4,
    "preview_count": 1,
    "precision": "float32",
}
NO_JUDGE: dict[str, list[Path]] = {
    "judge": [],
    "train_tiles": [],
    "train_tables": [],
    "validation_tiles": [],
    "validation_tables": [],
    "train_regions": [],
    "splits": [],
    "train_roundtrips": [],
}


def load_script(name: str) -> ModuleType:
    """Import one of the programs in scripts/."""
    path = Path(__file__).parents[2] / "scripts" / f"{name}.py"
    specification = importlib.util.spec_from_file_location(f"scripts_{name}", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def random_tiles(seed: int, count: int) -> np.ndarray:
    """Return smooth random tiles."""
    values = np.random.default_rng(seed).normal(size=(count, SIZE, SIZE))
    smooth = gaussian_filter(values, (0, 2, 2)) * 300
    return np.clip(128 + smooth, 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Workbench:
    """Files that the finetune script reads."""

    folder: Path

    @property
    def model(self) -> Path:
        return self.folder / "base.json"

    @property
    def latents(self) -> Path:
        return self.folder / "latents.safetensors"

    @property
    def priors(self) -> list[Path]:
        return [self.folder / f"prior-{index}.safetensors" for index in range(2)]

    def stage(self, concepts: list[dict[str, Any]] | None = None, **training: Any) -> FinetuneStage:
        return FinetuneStage.model_validate(
            {
                "run": "toy-run",
                "base": "toy",
                "concepts": concepts or [CONCEPT],
                "training": TRAINING | training,
            }
        )

    def paths(self, out: Path, **changed: Any) -> Namespace:
        paths = {
            "model": self.model,
            "identifiers": [self.folder / "identifiers.json"],
            "latents": [self.latents],
            "priors": self.priors,
            "tables": [],
            "decoders": [],
            **NO_JUDGE,
            "state": out / "state",
            "trained": out / "model",
            "history": out / "training.csv",
            "previews": out / "previews.png",
        }
        return Namespace(**(paths | changed))


def build_workbench(folder: Path, architecture: str) -> Workbench:
    """Write all that fine-tuning needs, the latents by the script itself."""
    base = (
        EMBEDDED if architecture == "embedded" else build_toy_model(folder / "base", architecture)
    )
    card = {"name": "toy", "folder": str(base), "files": folder_to_sha256(base), "licence": "none"}
    write_json(folder / "base.json", card)
    tokens = ("zbk", "vjw", "kmj") if architecture == "embedded" else ("zx", "qv", "xk")
    write_json(folder / "identifiers.json", [{"token": token} for token in tokens])
    for index, (role, count) in enumerate((("train", 5), ("validation", 2), ("holdout", 3))):
        write_stack(folder / f"{role}.tif", random_tiles(index, count))
    bench = Workbench(folder)
    channels = LATENT_CHANNELS.get(architecture, 4)
    origin = json.dumps({"settings": {"prior": {"class_prompt": CLASS_PROMPT}}})
    for index, path in enumerate(bench.priors):
        generator = torch.Generator().manual_seed(index)
        latents = torch.randn(3, channels, SIZE // 8, SIZE // 8, generator=generator)
        save_file({"latents": latents}, path, {"prior": "toy", "origin": origin})
    make_latents(folder)
    return bench


def make_latents(folder: Path, modality: str = "brightfield") -> None:
    """Run the latents script on a folder of tiles."""
    names = {
        "model": "base.json",
        "train": "train.tif",
        "validation": "validation.tif",
        "holdout": "holdout.tif",
        "latents": "latents.safetensors",
        "roundtrip": "roundtrip.tif",
        "train_roundtrip": "train-roundtrip.tif",
        "figures": "vae.json",
    }
    paths = Namespace(batch_size=None, **{key: folder / name for key, name in names.items()})
    load_script("latents").latents(LatentsStage(modality=modality, batch_size=4), paths)


def make_trainer(stage: FinetuneStage, paths: Namespace, folder: Path) -> Trainer:
    """Return the trainer that the finetune script would train."""
    script = load_script("finetune")
    concepts = script.read_concepts(stage, paths)
    priors = script.read_priors(stage, paths.priors)
    judged_by = script.read_judges(paths, stage)
    return script.make_trainer(stage, paths, concepts, priors, folder, judged_by)
