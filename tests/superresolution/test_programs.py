"""The programs that compare upscalers and enlarge shards, on a toy upscaler."""

from __future__ import annotations

import runpy
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline_lib.files import read_json
from pipeline_lib.frames import read_frame
from pipeline_lib.imaging.digests import pixels_to_sha256
from pipeline_lib.imaging.stacks import write_planes, write_stack
from pipeline_lib.imaging.writing import image_to_tiff
from pipeline_lib.sampling.manifests import ManifestRow
from pipeline_lib.sampling.shard_files import read_origins, read_pictures, read_rows, write_shard
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.superresolution import (
    SuperresolutionStage,
    UpsampleStage,
    UpscalerDrawing,
)
from tests.sampling.test_shard_files import row_of
from tests.superresolution.toy_upscaler import build_toy_upscaler

ROOT = Path(__file__).resolve().parents[2]
PROMPT = "an image of cells"
DRAWING = UpscalerDrawing(steps=2, tile=64, overlap=32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return build_toy_upscaler(tmp_path_factory.mktemp("upscaler"))


def program(name: str):
    return runpy.run_path(str(ROOT / f"scripts/{name}.py"))[name]


def grey(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(60, 200, shape).astype(np.uint8)


def compared(folder: Path, root: Path, tiles: int, fields: int = 5) -> Namespace:
    """Return paths of held-out tiles, of so many fields, and of what is to be written."""
    write_stack(root / "holdout.tif", grey(tiles, 48, 48))
    rows = [f"field-{number % fields}\tg{number % fields}" for number in range(tiles)]
    (root / "holdout.tsv").write_text("\n".join(["source\tgroup", *rows]) + "\n")
    write_planes(root / "regions.tif", [grey(50, 50), grey(98, 70)])
    return Namespace(
        **dict.fromkeys(("model", "usual", "less"), folder),
        holdout_tiles=root / "holdout.tif",
        holdout_table=root / "holdout.tsv",
        train_regions=root / "regions.tif",
        table=root / "table.csv",
        summary=root / "superresolution.json",
        sheet=root / "sheet.png",
        large=root / "large.png",
    )


def stage(**changes: object) -> SuperresolutionStage:
    told = {"dataset": "cells", "prompt": PROMPT, "augmentation": 1e-5, "usual_augmentation": 1e-3}
    return SuperresolutionStage(
        **told | {"drawing": DRAWING, "tiles": 10, "confidence": 0.95} | changes
    )


def test_every_way_is_measured_and_equal_ones_are_equal(folder: Path, tmp_path: Path) -> None:
    paths = compared(folder, tmp_path, 10)
    always = stage(drawing=DRAWING.model_copy(update={"augmentation": 1e-3}))
    program("superresolution")(always, paths)
    table = read_frame(paths.table).set_index(["way", "metric"])
    values = table["value"]
    assert set(table.index.levels[0]) == {"bicubic", "untuned", "usual", "less", "less - usual"}
    # One upscaler three times, told one noise level, from the same noise.
    assert values["untuned", "psnr_db"] == values["usual", "psnr_db"] == values["less", "psnr_db"]
    difference = table.loc["less - usual"]
    assert (difference[["value", "low", "high"]] == 0).all(axis=None)
    assert (table["tiles"] == 10).all() and (table["fields"] == 5).all()
    told = read_json(paths.summary)
    assert "does not hold here (10 held-out tiles of 5 fields)" in told["sentences"][0]
    assert told["sentences"][-1].startswith("Seams: where overlapping tiles")
    assert all(0.2 < told["seams"][name] < 5 for name in ("drawn", "real"))
    assert paths.sheet.stat().st_size > 1000 and paths.large.stat().st_size > 1000


def test_a_region_of_one_tile_has_no_seam(folder: Path, tmp_path: Path) -> None:
    paths = compared(folder, tmp_path, 2, fields=2)
    write_planes(paths.train_regions, [grey(64, 64)])
    program("superresolution")(stage(), paths)
    told = read_json(paths.summary)
    assert told["seams"] == {} and "one tile" in told["sentences"][-1]
    assert told["sentences"][0].startswith("Cannot tell")
    assert read_frame(paths.table)["low"].isna().all()


def test_without_held_out_tiles_it_says_what_to_give(folder: Path, tmp_path: Path) -> None:
    paths = compared(folder, tmp_path, 0)
    with pytest.raises(UserError, match="no held-out tiles"):
        program("superresolution")(stage(), paths)


def write_samples(path: Path) -> list[ManifestRow]:
    """Write a shard of three pictures, the second of which is not finite and has no file."""
    pictures = grey(3, 16, 16)
    rows = [row_of(index, picture) for index, picture in enumerate(pictures)]
    rows[1] = replace(rows[1], file="", status="not finite", sha256="")
    files = [image_to_tiff(one, None, {"synthetic": True}) for one in pictures]
    write_shard(path, zip(rows, files, strict=True))
    return rows


def test_a_shard_is_enlarged_picture_by_picture(folder: Path, tmp_path: Path) -> None:
    shard, enlarged = tmp_path / "shard.zip", tmp_path / "out/shard.zip"
    rows = write_samples(shard)
    settings = UpsampleStage(prompt=PROMPT, augmentation=1e-5, drawing=DRAWING)
    paths = Namespace(shard=shard, model=folder, tuned=folder, enlarged=enlarged)
    program("upsample")(settings, paths)
    made = read_rows(enlarged)
    files = [enlarged / one.file for one in made if one.file]
    large = list(read_pictures(files))
    assert [one.shape for one in large] == [(64, 64)] * 2
    sums = [pixels_to_sha256(large[0]), "", pixels_to_sha256(large[1])]
    assert made == [
        replace(row, height=64, width=64, sha256=sha256)
        for row, sha256 in zip(rows, sums, strict=True)
    ]
    (origin, _) = read_origins(files)
    assert origin["synthetic"] and origin["stage"] == "upsample"
    assert origin["inputs"].keys() == {"shard", "model", "tuned"}
    again = tmp_path / "again/shard.zip"
    program("upsample")(settings, Namespace(**{**vars(paths), "enlarged": again}))
    assert again.read_bytes() == enlarged.read_bytes()
