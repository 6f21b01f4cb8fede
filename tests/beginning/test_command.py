from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
import yaml
from scipy.ndimage import gaussian_filter

from pipeline_lib.beginning.command import begin, folder_to_name
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.sheets import SampleRow
from pipeline_lib.sheets import read_sheet
from tests.beginning.folders import field, lay_photographs

ROOT = Path(__file__).resolve().parents[2]
KNOWN = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def init(folder: Path, work: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline_lib", "init", str(folder), *more]
    return subprocess.run(
        command, cwd=work, env=os.environ | KNOWN, capture_output=True, text=True, check=False
    )


def snakemake(config: Path, work: Path, *more: str) -> str:
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    done = subprocess.run(
        [*command, "--configfile", str(config), "--cores", "1", *more],
        cwd=work,
        env=os.environ | KNOWN | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def rows(work: Path, name: str) -> list[SampleRow]:
    return [row.value for row in read_sheet(work / f"config/{name}/samples.tsv", SampleRow)]


def groups_by_role(listed: list[SampleRow]) -> dict[str, set[str | None]]:
    return {
        role: {row.group for row in listed if row.role == role} for role in ("train", "holdout")
    }


@pytest.mark.parametrize(
    ("name", "pictures", "train", "holdout"),
    [("stacks", 40, 5, 5), ("three", 3, 2, 1), ("lapse", 12, 2, 1)],
)
def test_what_it_writes_can_be_planned(laid, tmp_path, name, pictures, train, holdout):
    done = init(laid / name, tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"config/{name}/config.yaml" in done.stdout
    said = snakemake(tmp_path / f"config/{name}/config.yaml", tmp_path, "--dry-run", "tiles_only")
    assert re.search(rf"ingest +{pictures}\n", said)
    found = groups_by_role(rows(tmp_path, name))
    assert (len(found["train"]), len(found["holdout"])) == (train, holdout)
    assert not found["train"] & found["holdout"]


@pytest.mark.parametrize(
    "name",
    [
        "three",
        pytest.param("lapse", marks=pytest.mark.long),
        pytest.param("stacks", marks=pytest.mark.long),
    ],
)
def test_from_a_folder_to_a_contact_sheet_without_a_change(laid, tmp_path, name):
    assert init(laid / name, tmp_path).returncode == 0
    snakemake(tmp_path / f"config/{name}/config.yaml", tmp_path, "tiles_only")
    dataset = tmp_path / f"results/{name}/datasets/{name}-128"
    assert (dataset / "contact_sheet.png").stat().st_size > 10_000
    for role in ("train", "holdout"):
        assert len((dataset / f"{role}.tsv").read_text().splitlines()) > 4


def test_focal_stacks_ask_for_the_noun_alone(laid, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = "\n".join(begin(laid / "stacks", None, False, ROOT))
    assert "ZCYX  160 x 160       BF, DAPI  5  1  0.5" in told
    assert re.search(r"uint16 \(1[12] bits used\)", told)
    assert "40 pictures in 10 groups (5 train, 5 holdout)" in told
    text = (tmp_path / "config/stacks/config.yaml").read_text()
    asked = re.findall(r"# DECIDE:.*\n(?: +#.*\n)* +(\w+):", text)
    assert asked == ["noun"]
    concept = yaml.safe_load(text)["concepts"]["stacks"]
    assert concept["reading"] == {"channel": "BF", "z": "best_focus"}
    assert "DECIDE" not in (tmp_path / "config/stacks/samples.tsv").read_text()
    listed = rows(tmp_path, "stacks")
    assert {row.group for row in listed if row.path.startswith("A03")} == {"A03"}


@pytest.mark.parametrize(
    ("folder", "name"),
    [("yeast", "yeast"), ("yeast/images", "yeast"), ("yeast/Raw TIFFs/all_data", "yeast")],
)
def test_a_project_is_called_by_the_nearest_folder_that_says_what_it_holds(folder, name):
    assert folder_to_name(Path("/home/someone") / folder) == name


@pytest.mark.parametrize("folder", ["/images", "/home/someone/images", "/mnt/disk/images"])
def test_a_person_s_folder_and_a_disk_name_no_project(folder):
    assert folder_to_name(Path(folder)) == "images"


def test_a_name_that_is_given_names_project_and_concept(laid, tmp_path):
    done = init(laid / "three", tmp_path, "--name", "CHO cells")
    assert done.returncode == 0, done.stderr
    written = yaml.safe_load((tmp_path / "config/cho-cells/config.yaml").read_text())
    assert written["project"] == "cho-cells" and list(written["concepts"]) == ["cho-cells"]


def test_plans_name_the_lines_that_wait_for_a_decision(laid, tmp_path):
    assert init(laid / "three", tmp_path).returncode == 0
    config, sheet = (tmp_path / f"config/three/{name}" for name in ("config.yaml", "samples.tsv"))
    told = snakemake(config, tmp_path, "--dry-run", "tiles_only")
    number = 1 + sheet.read_text().splitlines().index(
        next(line for line in sheet.read_text().splitlines() if "# DECIDE:" in line)
    )
    assert f"config/three/samples.tsv:{number}: marked DECIDE" in told
    for path in (config, sheet):
        path.write_text(path.read_text().replace("# DECIDE: ", "# "))
    assert "DECIDE" not in snakemake(config, tmp_path, "--dry-run", "tiles_only")


def test_few_photographs_say_what_cannot_be_judged(laid, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = "\n".join(begin(laid / "three", None, False, ROOT))
    assert "numbers without intervals, and no verdict" in told
    assert "image_percentile" not in told
    assert "PNG files are no camera data" in told
    assert (
        "DECIDE: which pictures are of one" in (tmp_path / "config/three/samples.tsv").read_text()
    )
    assert "DECIDE: how wide is a pixel?" in (tmp_path / "config/three/config.yaml").read_text()


@pytest.mark.parametrize("worst", [1, 2, 3, 4])
def test_the_worst_picture_is_trained_on_and_said_so(tmp_path, monkeypatch, worst):
    """Whichever the draw holds out: a blurred one is not what others are measured by."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "cells"
    folder.mkdir()
    for number in range(1, 5):
        sharp = field(number, 320, density="medium").astype(float)
        shown = gaussian_filter(sharp, 6) if number == worst else sharp
        tifffile.imwrite(folder / f"pos{number}.tif", np.rint(shown).astype(np.uint16))
    told = "\n".join(begin(folder, None, False, ROOT))
    assert "Trained on and not held out" in told
    assert re.search(rf"pos{worst}\.tif: .*sharpness is 0\.\d+ times", told)
    roles = {row.path: row.role for row in rows(tmp_path, "cells")}
    assert roles[f"pos{worst}.tif"] == "train" and "holdout" in roles.values()
    note = (tmp_path / "config/cells/samples.tsv").read_text()
    assert f"# pos{worst}.tif: Trained on, and not held out" in note


def test_pictures_that_were_stretched_one_by_one_are_asked_about(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = "\n".join(begin(lay_photographs(tmp_path / "photos", stretched=True), None, False, ROOT))
    assert "backgrounds differ by a factor of 2." in told
    text = (tmp_path / "config/photos/config.yaml").read_text()
    dataset = yaml.safe_load(text)["datasets"]["photos-128"]
    assert dataset["intensity"]["method"] == "image_percentile"
    assert "# DECIDE: a scale for each picture?" in text


def test_time_points_of_a_position_are_one_group(laid, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    begin(laid / "lapse", None, False, ROOT)
    by_position = {row.path.split("/")[0]: set() for row in rows(tmp_path, "lapse")}
    for row in rows(tmp_path, "lapse"):
        by_position[row.path.split("/")[0]].add((row.group, row.role))
    assert all(len(found) == 1 for found in by_position.values())


def test_pictures_of_one_place_with_other_names_are_joined(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lay_photographs(tmp_path / "photos")
    (tmp_path / "photos/another.png").write_bytes((tmp_path / "photos/cells 2.png").read_bytes())
    told = "\n".join(begin(tmp_path / "photos", None, False, ROOT))
    assert "another.png and cells 2.png (1.00)" in told
    groups = {row.path: (row.group, row.role) for row in rows(tmp_path, "photos")}
    assert groups["another.png"] == groups["cells 2.png"] != groups["cells 1.png"]


def test_one_place_is_cut_into_parts(tmp_path):
    (tmp_path / "photos").mkdir()
    tifffile.imwrite(tmp_path / "photos/only.tif", field(0, 320))
    done = init(tmp_path / "photos", tmp_path, "--output", "place")
    assert "One place alone" in done.stdout and "image a second place" in done.stdout
    sheet = (tmp_path / "place/samples.tsv").read_text()
    bounds = re.search(r"train\t0:320,0:(\d+)\n.*holdout\t0:320,(\d+):320\n", sheet)
    assert bounds and int(bounds[2]) - int(bounds[1]) == 32
    snakemake(tmp_path / "place/config.yaml", tmp_path, "--dry-run", "tiles_only")


def test_files_that_cannot_be_read_are_named_with_reasons(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = lay_photographs(tmp_path / "photos")
    (folder / "broken.tif").write_bytes(b"II*\0")
    (folder / "{x}.tif").write_bytes(b"II*\0")
    for number in range(9):
        (folder / f"{number}_mask.png").write_bytes(b"")
    tifffile.imwrite(folder / "flat.tif", np.full((64, 64), 7, "uint16"))
    (folder / "notes.txt").write_text("day 1")
    told = "\n".join(begin(folder, None, False, ROOT))
    assert re.search(r"broken\.tif: .*(damaged|decoded)", told)
    assert "{x}.tif: its path has braces" in told
    assert "5_mask.png and 3 more: its name is that of masks" in told
    assert re.search(r"flat\.tif: all pixels are 7", told)
    assert "Passed over: 1 .txt" in told
    assert {row.path for row in rows(tmp_path, "photos")} == {f"cells {k}.png" for k in (1, 2, 3)}


def test_nothing_is_overwritten_without_being_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = lay_photographs(tmp_path / "photos")
    (tmp_path / "place").mkdir()
    (tmp_path / "place/runs.tsv").write_text("mine")
    with pytest.raises(UserError, match=r"holds runs\.tsv already; .*--overwrite"):
        begin(folder, tmp_path / "place", False, ROOT)
    assert [path.name for path in (tmp_path / "place").iterdir()] == ["runs.tsv"]
    begin(folder, tmp_path / "place", True, ROOT)
    assert (tmp_path / "place/runs.tsv").read_text() != "mine"


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "holds no image that can be read: it is empty"),
        (["a.txt"], r"it holds 1 \.txt; needed are TIFF, PNG or JPEG"),
        (["a.czi"], r"export \.czi as OME-TIFF"),
        (["a.tif"], r"a\.tif: the file is empty"),
    ],
)
def test_a_folder_without_pictures_is_refused_in_words(tmp_path, names, words):
    (tmp_path / "photos").mkdir()
    for name in names:
        (tmp_path / "photos" / name).touch()
    done = init(tmp_path / "photos", tmp_path)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert re.search(words, done.stderr)
    assert not (tmp_path / "config").exists()
