"""A microscope whose pictures the embedded base model's decoder blurs, and a bench to tune on it.

Its discs have sharp rims and bright cores, at places where the base model's decoder has learned the
soft rims of defocused cells.
"""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from pipeline_lib.decoder.tiles import EncodedTiles
from pipeline_lib.dreambooth.latents import tiles_to_moments
from pipeline_lib.files import folder_to_sha256, write_json
from pipeline_lib.imaging.stacks import write_stack
from pipeline_lib.imaging.views import View, modality_to_views
from pipeline_lib.models.loading import BaseModel, load_model
from pipeline_lib.settings.decoder import DecoderStage
from tests.dreambooth.workbench import EMBEDDED
from tests.toy_models import build_toy_model

SIZE = 32
ROLES = {"train": 6, "validation": 3, "holdout": 4}
GROUND, RIM, CORE = 170, 40, 230
DECODER = {"steps": 4, "batch_size": 2, "judge_every": 2, "warmup_steps": 1, "precision": "float32"}


def planted_tiles(seed: int, count: int, size: int = SIZE) -> np.ndarray:
    """Return tiles of discs with sharp dark rims and bright cores, (count, size, size)."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size]
    tiles = np.full((count, size, size), GROUND, np.uint8)
    for tile in tiles:
        for _ in range(size * size // 340):
            y, x = random.uniform(0, size, 2)
            radius = random.uniform(3, 7)
            distance = np.hypot(rows - y, columns - x)
            tile[distance < radius] = RIM
            tile[distance < radius - 2] = CORE
    return tiles


def encode(model: BaseModel, tiles: np.ndarray, views: tuple[View, ...]) -> EncodedTiles:
    """Return tiles with the latents of their views."""
    mean, std = tiles_to_moments(model, tiles, views, 8)
    return EncodedTiles(tiles, mean.numpy(), std.numpy(), views)


class DecoderBench:
    """Files that the programs of the decoder read."""

    def __init__(self, folder: Path, architecture: str) -> None:
        self.folder = folder
        embedded = architecture == "embedded"
        base = EMBEDDED if embedded else build_toy_model(folder / "base", architecture)
        files = folder_to_sha256(base)
        card = {"name": "toy", "folder": str(base), "files": files, "licence": "none"}
        write_json(folder / "base.json", card)
        self.model = load_model(folder / "base.json", device="cpu")
        self.tiles = {
            role: planted_tiles(seed, count) for seed, (role, count) in enumerate(ROLES.items())
        }
        tensors: dict[str, Any] = {}
        for role, views in {
            "train": modality_to_views("brightfield"),
            "validation": (View(),),
        }.items():
            encoded = encode(self.model, self.tiles[role], views)
            tensors |= {f"{role}.mean": encoded.mean, f"{role}.std": encoded.std}
        save_file(tensors, folder / "latents.safetensors", {"provenance": json.dumps({})})
        for role, tiles in self.tiles.items():
            write_stack(folder / f"{role}.tif", tiles)

    @staticmethod
    def stage(**decoder: Any) -> DecoderStage:
        """Return the settings of a tuning."""
        names = {"base": "toy", "dataset": "single-64", "modality": "brightfield"}
        return DecoderStage.model_validate({**names, "decoder": DECODER | decoder})

    def paths(self, out: Path, **changed: Any) -> Namespace:
        """Return the paths of a tuning."""
        paths = {
            "model": self.folder / "base.json",
            "latents": self.folder / "latents.safetensors",
            "train": self.folder / "train.tif",
            "validation": self.folder / "validation.tif",
            "state": out / "state",
            "tuned": out / "model",
            "history": out / "training.csv",
            "previews": out / "previews.png",
        }
        return Namespace(**(paths | changed))

    def without_validation(self, folder: Path) -> dict[str, Path]:
        """Write tiles and latents of which none validate, and return their paths."""
        from safetensors.numpy import load_file

        folder.mkdir()
        latents = load_file(self.folder / "latents.safetensors")
        for name in ("validation.mean", "validation.std"):
            latents[name] = latents[name][:0]
        save_file(latents, folder / "latents.safetensors")
        write_stack(folder / "validation.tif", self.tiles["validation"][:0])
        return {name: folder / f"{name}.{kind}" for name, kind in FILES.items()}


FILES = {"latents": "safetensors", "validation": "tif"}
