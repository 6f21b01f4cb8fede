"""Tiles of two kinds, a toy base model with their latents, and the program that trains."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline_lib.files import folder_to_sha256, read_json, write_json
from pipeline_lib.imaging.stacks import write_stack
from pipeline_lib.models.unconditional import UnconditionalModel, load_unconditional
from pipeline_lib.settings.from_scratch import ScratchStage
from tests.dreambooth.workbench import NO_JUDGE, load_script, make_latents
from tests.toy_models import build_toy_model

SIZE = 32
LEVELS = {"dark": 60, "bright": 190}
TRAINING = {
    "steps": 4,
    "batch_size": 4,
    "channels": [16, 32],
    "attention": 1,
    "warmup_steps": 1,
    "checkpoint_every": 2,
    "judge_every": 2,
    "preview_every": 4,
    "preview_count": 2,
    "precision": "float32",
}


def noisy_tiles(level: int, seed: int, count: int) -> np.ndarray:
    """Return tiles around a level, with a darker left half that turns and flips move about."""
    random = np.random.default_rng(seed)
    tiles = level + random.normal(0, 8, (count, SIZE, SIZE))
    tiles[:, :, : SIZE // 2] -= 30
    return np.clip(np.rint(tiles), 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class ScratchBench:
    """Files that the program reads."""

    folder: Path

    def stage(self, *names: str, modality: str = "brightfield", **training: Any) -> ScratchStage:
        concepts = [
            {"concept": name, "dataset": name, "noun": "cells", "modality": modality}
            for name in names or ("dark",)
        ]
        told = {"run": "toy-run", "base": "toy", "concepts": concepts}
        return ScratchStage.model_validate({**told, "training": TRAINING | training})

    def paths(self, out: Path, stage: ScratchStage, **changed: Any) -> Namespace:
        datasets = [self.folder / one.dataset for one in stage.concepts]
        in_pixels = stage.training.space == "pixels"
        paths = {
            "model": self.folder / "base.json",
            "tiles": [one / "train.tif" for one in datasets] if in_pixels else [],
            "validation": [one / "validation.tif" for one in datasets] if in_pixels else [],
            "latents": [] if in_pixels else [one / "latents.safetensors" for one in datasets],
            **NO_JUDGE,
            "state": out / "state",
            "trained": out / "model",
            "history": out / "training.csv",
            "previews": out / "previews.png",
        }
        return Namespace(**(paths | changed))

    def train(self, out: Path, stage: ScratchStage, **changed: Any) -> Namespace:
        """Train and return the paths of what was made."""
        paths = self.paths(out, stage, **changed)
        load_script("train_from_scratch").train_from_scratch(stage, paths)
        return paths

    def trained(self, out: Path, stage: ScratchStage) -> UnconditionalModel:
        """Train and load what was made."""
        return load_unconditional(self.train(out, stage).trained, device="cpu")


def build_bench(folder: Path) -> ScratchBench:
    """Write all that training needs, the latents by their own program."""
    base = build_toy_model(folder / "base", "tiny")
    card = {"name": "toy", "folder": str(base), "files": folder_to_sha256(base), "licence": "none"}
    write_json(folder / "base.json", card)
    for name, level in LEVELS.items():
        place = folder / name
        place.mkdir()
        write_json(place / "base.json", card)
        for seed, (role, count) in enumerate((("train", 6), ("validation", 3), ("holdout", 2))):
            write_stack(place / f"{role}.tif", noisy_tiles(level, seed, count))
        make_latents(place)
    return ScratchBench(folder)


def outcome(paths: Namespace) -> tuple[Any, ...]:
    """Return what a training leaves, the seconds in its log left out."""
    card = read_json(paths.trained / "brightbooth.json")
    history = pd.read_csv(paths.history).drop(columns="seconds")
    return card["concepts"], folder_to_sha256(paths.trained), history.to_csv()
