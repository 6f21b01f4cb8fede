"""A folder with a whole, right configuration, for tests to spoil."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

from pipeline_lib.settings.extractors import LPIPS_FILES
from pipeline_lib.study.loading import load_study

CONFIG: dict[str, Any] = {
    "project": "trial",
    "samples": "samples.tsv",
    "runs": "runs.tsv",
    "base_models": "bases.yaml",
    "extractors": "extractors.yaml",
    "data_folder": "data",
    "concepts": {"round": {"noun": "cells"}, "long": {"noun": "rods"}},
    "datasets": {
        "round-64": {"concept": "round", "tiles": {"size": 64}},
        "long-64": {"concept": "long", "tiles": {"size": 64}},
        "long-32": {"concept": "long", "tiles": {"size": 32}},
    },
    "priors": {
        "class": {"class_prompt": "an image of cells", "size": 64},
        "small": {"class_prompt": "an image of cells", "size": 32},
        "again": {"class_prompt": "an image of cells", "size": 64, "guidance": 2},
    },
}
BASES = {
    "toy": {"kind": "folder", "path": "toy", "size": 64},
    "gone": {"kind": "folder", "path": "nowhere", "size": 64},
    "large": {"kind": "folder", "path": "toy"},
}
SAMPLES = "concept\tpath\tgroup\trole\tregion\tchannel\n"
ROUND = "round\tr*.tif\t\tauto\t\t\n"
LONG = "long\tl1.tif\t\ttrain\t\t\nlong\tl2.tif\t\tholdout\t\t\n"
RUNS = "run\tbase\tdatasets\tpriors\tidentifiers\tprior_weight\tsteps\n"
RUN = "first\ttoy\tround-64\tclass\n"


class Folder:
    """A folder with a whole, right configuration that tests then spoil."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.config = copy.deepcopy(CONFIG)
        self.bases: Any = copy.deepcopy(BASES)
        self.extractors: Any = {
            "efficientnet-lite0": {"family": "efficientnet-lite0", "kind": "package"}
        }
        self.samples = SAMPLES + ROUND + LONG
        self.runs = RUNS + RUN
        (root / "toy").mkdir()
        (root / "data").mkdir()
        for name in ("r1", "r2", "l1", "l2", ".r0"):
            (root / f"data/{name}.tif").write_bytes(b"")

    def load(self, first_files=list):
        (self.root / "bases.yaml").write_text(yaml.safe_dump(self.bases))
        (self.root / "extractors.yaml").write_text(yaml.safe_dump(self.extractors))
        (self.root / "samples.tsv").write_text(self.samples)
        (self.root / "runs.tsv").write_text(self.runs)
        return load_study(self.config, self.root, self.root, first_files)


def name_extractors(folder: Folder) -> None:
    (folder.root / "weights").mkdir()
    folder.extractors |= {
        "ours": {"family": "dinov2", "kind": "folder", "path": "weights"},
        "words": {"family": "clip", "kind": "folder", "path": "weights"},
        "unused": {"family": "dino", "kind": "folder", "path": "nowhere"},
    }
    names = ["efficientnet-lite0", "words", "ours"]
    folder.config["evaluation"] = {"extractors": names}


def name_lpips(folder: Folder, *beside: str) -> None:
    (folder.root / "lpips").mkdir(exist_ok=True)
    for file in LPIPS_FILES:
        (folder.root / "lpips" / file).touch()
    folder.extractors["pairs"] = {"family": "lpips", "kind": "folder", "path": "lpips"}
    folder.config["evaluation"] = {"extractors": ["pairs", *beside]}
