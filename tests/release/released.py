"""What a release is made of, in small: shards, verdicts, maps, a model's card; and the release."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pandas as pd
import pytest

from pipeline_lib.files import write_json
from pipeline_lib.imaging.intensity import IntensityMap, intensity_to_record
from pipeline_lib.models.cards import TRAINED_CARD
from tests.evaluation.shards import draw_fields, write_shard, write_tiles

ROOT = Path(__file__).resolve().parents[2]
REPOSITORY = "stable-diffusion-v1-5/stable-diffusion-v1-5"


def run_release(settings: dict, **paths: object) -> int:
    """Run the program `release` in this process and return its exit code."""
    arguments = ["release.py", "--settings", json.dumps(settings)]
    for name, value in paths.items():
        values = value if isinstance(value, list) else [value]
        arguments += [f"--{name.replace('_', '-')}", *map(str, values)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", arguments)
        try:
            runpy.run_path(str(ROOT / "scripts/release.py"), run_name="__main__")
        except SystemExit as end:
            return end.code
    return 0


def write_model(folder: Path, *concepts: str) -> dict[str, Path]:
    """Write a trained model's folder, without weights, and the description of its base model."""
    model = folder / "model"
    model.mkdir()
    (model / "README.md").write_text("# trial\n\nA text-to-image model of microscope pictures.\n")
    taught = {
        **{"identifier": "zqx", "noun": "cells", "modality": "phase_contrast"},
        **{"prompt": "a picture of zqx cells", "tiles": 6},
    }
    card = {
        **{"name": "trial", "base": "stable-diffusion-1-5", "architecture": "sd15", "size": 64},
        **{"licence": "CreativeML Open RAIL-M", "method": "lora", "settings": {"run": "trial"}},
        **{"concepts": dict.fromkeys(concepts, taught), "files": {"unet": "ab" * 32}},
        "provenance": {"stage": "finetune", "inputs": {"latents": ["cd" * 32]}},
    }
    write_json(model / TRAINED_CARD, card)
    entry = {"kind": "hub", "repository": REPOSITORY}
    write_json(folder / "base.json", {"provenance": {"settings": {"entry": entry}}})
    return {"model": model, "base": folder / "base.json"}


class Inputs:
    """What a release of two concepts is made of; one image of each is a copy, one is blank."""

    def __init__(self, folder: Path, concepts: tuple[str, str] = ("test-cells", "yeast")) -> None:
        self.folder, self.concepts = folder, concepts
        shards, rows = [], []
        for seed, concept in enumerate(concepts):
            images = draw_fields(seed, 5, 64)
            prompt = 'a picture of zqx cells, "dense"'
            path = folder / f"{concept}.zip"
            shards.append(write_shard(path, images, concept, bad=[1], prompt=prompt))
            rows += [self.verdict(concept, index) for index in (0, 2, 3, 4)]
            write_tiles(folder, concept, draw_fields(9, 2, 64), [f"{concept}-source"] * 2)
            record = intensity_to_record(IntensityMap(1000.0, 3550.0)) | {"dtype": "uint16"}
            write_json(folder / f"{concept}-intensity.json", record)
            for source in (f"{concept}-source", f"{concept}-unused"):
                told = {"source": source, "file": f"/home/someone/{source}.tif"}
                write_json(folder / f"{source}.json", told | {"sha256": "ef" * 32})
        pd.DataFrame(rows).to_csv(folder / "copies.tsv", sep="\t", index=False)
        self.paths = {
            **{"shards": shards, "copies": folder / "copies.tsv"},
            "intensities": [folder / f"{concept}-intensity.json" for concept in concepts],
            "tables": [folder / f"{concept}.tsv" for concept in concepts],
            "sidecars": sorted(folder.glob("*-source.json")) + sorted(folder.glob("*-unused.json")),
            **write_model(folder, *concepts),
        }

    def verdict(self, concept: str, index: int) -> dict:
        """Return a row of copies.tsv."""
        return {
            **{"concept": concept, "prompt_name": f"{concept}-64-subject", "index": index},
            **{
                "verdict": "copy" if index == 3 else "new",
                "similarity": 0.9 if index == 3 else 0.1,
            },
            **{"threshold": 0.8, "source": "a", "plane": 0, "y": 0, "x": 0},
        }

    def give_out(self, name: str = "release", **settings: object) -> Path:
        """Run the program and return the folder of the release."""
        stage = {"run": "trial", "concepts": list(self.concepts), "release": settings}
        assert run_release(stage, **self.paths, release=self.folder / name) == 0
        return self.folder / name
