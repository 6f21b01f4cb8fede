"""Files by which the workbench's trainings are judged, and an extractor that costs nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch

from pipeline_lib.evaluation.extractors.contract import Extractor
from pipeline_lib.imaging.stacks import read_stack, write_planes
from tests.dreambooth.workbench import Workbench

SIDE = 8
PLACES = {
    "train_tiles": "train.tif",
    "train_tables": "train.tsv",
    "validation_tiles": "validation.tif",
    "validation_tables": "validation.tsv",
    "train_regions": "train-regions.tif",
    "splits": "split.tsv",
    "train_roundtrips": "train-roundtrip.tif",
}


class Blocks(torch.nn.Module):
    """Sums of mean grey values of 8 x 8 blocks, sorted: what is where does not count."""

    def __init__(self) -> None:
        super().__init__()
        self.sums = torch.nn.Linear(SIDE**2, SIDE**2, bias=False)  # half precision changes these
        with torch.no_grad():
            self.sums.weight.copy_(torch.tril(torch.ones(SIDE**2, SIDE**2)) / SIDE)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        blocks = torch.nn.functional.adaptive_avg_pool2d(images[:, None].float() / 64, SIDE)
        return self.sums(blocks.flatten(1).sort(dim=1).values)


def make_extractor() -> Extractor:
    """Return an extractor as a plug-in gives it."""
    return Extractor("blocks", "plug-in", SIDE**2, "0" * 64, "none", _as_is, Blocks())


def _as_is(images: torch.Tensor) -> torch.Tensor:
    return images


def judging_paths(bench: Workbench | Path, folder: Path, concepts: int = 1) -> dict[str, Any]:
    """Write what judges a training on a bench's tiles, or a folder's, and return its paths."""
    tiles = bench if isinstance(bench, Path) else bench.folder
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("train.tif", "validation.tif", "train-roundtrip.tif"):
        shutil.copy(tiles / name, folder / name)
    trained = read_stack(folder / "train.tif")
    side = trained.shape[1]
    write_planes(folder / "train-regions.tif", list(trained))
    split = "source\tplane\ty0\ty1\tx0\tx1\tgroup\trole\tcaption\n"
    split += "".join(f"t{k}\t0\t0\t{side}\t0\t{side}\tt{k}\ttrain\t\n" for k in range(len(trained)))
    (folder / "split.tsv").write_text(split)
    for role in ("train", "validation"):
        count = len(read_stack(folder / f"{role}.tif"))
        rows = "".join(f"{k}\t{role}{k}\t{role}{k}\n" for k in range(count))
        (folder / f"{role}.tsv").write_text("tile\tsource\tgroup\n" + rows)
    name = "tests.dreambooth.judged:make_extractor"
    card = {"name": "blocks", "family": "plug-in", "attribute": name, "sha256": "0" * 64}
    (folder / "blocks.json").write_text(json.dumps(card))
    lists = {kind: concepts * [folder / place] for kind, place in PLACES.items()}
    return {"judge": [folder / "blocks.json"], **lists}
