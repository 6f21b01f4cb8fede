from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

ROOT = Path(__file__).resolve().parents[2]


def simulate(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "scripts/simulate.py", "--out", str(folder), *arguments],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )


def read_table(path: Path) -> list[dict[str, str]]:
    with path.open() as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("simulated")
    done = simulate(
        target,
        *("--number", "2", "--seed", "3", "--kind", "budding yeast", "--rows", "96"),
        *("--columns", "128", "--pixel-size-um", "0.25", "--density", "medium"),
    )
    assert done.returncode == 0, done.stderr
    return target


def test_files_hold_counts_pixel_size_and_truth(folder):
    pictures, objects = read_table(folder / "pictures.tsv"), read_table(folder / "objects.tsv")
    assert len(pictures) == 2 and pictures[0]["image"] != pictures[1]["image"]
    for row in pictures:
        with tifffile.TiffFile(folder / row["image"]) as file:
            image = file.asarray()
            pixels = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]
        mask = tifffile.imread(folder / row["mask"])
        assert image.dtype == np.uint16 and image.shape == mask.shape == (96, 128)
        assert pixels["PhysicalSizeX"] == pixels["PhysicalSizeY"] == 0.25
        assert pixels["PhysicalSizeXUnit"] == "µm"
        own = [entry for entry in objects if entry["mask"] == row["mask"]]
        assert mask.max() == int(row["count"]) == len(own) > 0
        assert [int(entry["label"]) for entry in own] == list(range(1, len(own) + 1))
        assert row["kind"] == "budding yeast" and row["density"] == "medium"
        assert image.std() > 0
    made = json.loads((folder / "provenance.json").read_text())
    assert made["synthetic"] is True and made["settings"]["seed"] == 3


def test_wrong_arguments_end_with_a_message(tmp_path):
    done = simulate(tmp_path, "--rows", "4", "--number", "1")
    assert done.returncode == 2
    assert "at least 8 rows" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "pictures.tsv").exists()
