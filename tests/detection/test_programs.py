"""The programs of known masks, detectors and their comparison, on files as stages leave them."""

from __future__ import annotations

import json
import runpy
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from pipeline_lib.files import file_to_sha256, read_json
from pipeline_lib.frames import read_frame
from pipeline_lib.imaging.stacks import read_stack, read_stack_metadata, write_stack
from pipeline_lib.labels.instances import labels_to_instances
from pipeline_lib.labels.sets import LabelledSet
from tests.evaluation.shards import write_tiles
from tests.labels.scenes import draw_scenes

ROOT = Path(__file__).resolve().parents[2]
SIDE = 64
DETECTORS = {"shares": [0.5], "steps": 3, "batch_size": 2, "real_tiles": 4}


def call(script: str, settings: dict, **paths: object) -> int:
    """Run a program in this process and return its exit code."""
    arguments = [script, "--settings", json.dumps(settings)]
    for name, path in paths.items():
        listed = path if isinstance(path, list) else [path]
        arguments += [f"--{name.replace('_', '-')}", *map(str, listed)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", arguments)
        try:
            runpy.run_path(str(ROOT / f"scripts/{script}.py"), run_name="__main__")
        except SystemExit as end:
            return int(end.code)
    return 0


class Inputs:
    """Six images of each set, the same cells everywhere; the segmenter errs by two pixels."""

    def __init__(self, folder: Path, fields: str = "aabbcc") -> None:
        self.folder, self.out = folder, folder / "out"
        images, truths = draw_scenes("beads", 1, 24)
        for role, first in (("train", 0), ("holdout", 6), ("synthetic", 12)):
            own = slice(first, first + 6)
            pictures, labels = images[own, :SIDE, :SIDE], np.stack(truths)[own, :SIDE, :SIDE]
            self._write_set(role, pictures, labels)
            if role != "synthetic":
                write_tiles(folder, role, pictures, list(fields))
                known = {"known": [True] * 6}
                write_stack(folder / f"{role}.masks.tif", labels.astype(np.int32), known)

    def _write_set(self, role, pictures, labels):
        (self.folder / "labels").mkdir(exist_ok=True)
        written = LabelledSet(self.folder / f"labels/{role}", role, ("beads",), "png")
        for number, (picture, truth) in enumerate(zip(pictures, labels, strict=True)):
            numbered = np.unique(np.roll(truth, 2, axis=1), return_inverse=True)[1]
            numbered = numbered.reshape(truth.shape)
            sure = np.linspace(0.2, 0.9, int(numbered.max()))
            found = labels_to_instances(numbered, sure)
            told = {"run": "trial", "concept": "beads", "image": f"x/{number}"}
            written.add(f"beads.{number}", picture, found, "beads", None, told)
        written.close({})

    def detectors(self, **settings: object) -> int:
        self.out.mkdir(exist_ok=True)
        stage = {"run": "trial", "concept": "beads", "modality": "brightfield"}
        return call(
            "detectors",
            stage | {"detectors": DETECTORS | settings},
            labels=self.folder / "labels",
            train_masks=self.folder / "train.masks.tif",
            holdout_masks=self.folder / "holdout.masks.tif",
            holdout_table=self.folder / "holdout.tsv",
            state=self.folder / "work",
            **{name: self.out / f"{name}.tsv" for name in ("trials", "detections", "tiles")},
            picture=self.out / "found.png",
        )

    def compare(self) -> int:
        tables = {name: self.out / f"{name}.tsv" for name in ("trials", "detections", "tiles")}
        return call(
            "downstream",
            {"run": "trial", "concept": "beads", "threshold": 0.3, "confidence": 0.95},
            **tables,
            picture=self.out / "found.png",
            table=self.out / "scores.tsv",
            summary=self.out / "downstream.json",
            curve=self.out / "curve.png",
            page=self.out / "downstream.html",
        )


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    made = Inputs(tmp_path_factory.mktemp("downstream"))
    assert made.detectors() == 0 and made.compare() == 0
    return made


def test_every_set_has_every_seed_and_its_numbers(inputs):
    trials = read_frame(inputs.out / "trials.tsv")
    names = ["real", "relabelled", "synthetic", "replaced", "added"]
    assert list(trials["set"]) == ["segmenter", *names * 3]
    numbers = {row.set: (row.real, row.synthetic) for row in trials.itertuples()}
    assert numbers == {
        **{"segmenter": (0, 0), "real": (4, 0), "relabelled": (4, 0), "synthetic": (0, 6)},
        **{"replaced": (2, 2), "added": (4, 2)},
    }
    assert len(list((inputs.folder / "work").glob("*/model/*.safetensors"))) == 15


def test_the_segmenters_own_scores_are_those_of_its_labels(inputs):
    scores = read_frame(inputs.out / "scores.tsv").set_index("set")
    tiles = read_frame(inputs.out / "tiles.tsv")
    truth = read_stack(inputs.folder / "holdout.masks.tif")
    assert len(tiles) == 6 and set(tiles["unit"]) == {0, 1, 2}
    assert tiles["objects"].sum() <= sum(len(np.unique(one)) - 1 for one in truth)
    found = read_frame(inputs.out / "detections.tsv")
    own = found[found["set"] == "segmenter"]
    hits = own.loc[own["score"] >= 0.3, "matched"].sum()
    assert hits > 0
    assert scores.loc["segmenter", "recall"] == pytest.approx(
        hits / tiles["objects"].sum(), rel=1e-5
    )


def test_three_fields_give_no_interval_and_the_page_says_so(inputs):
    told = read_json(inputs.out / "downstream.json")
    assert told["verdict"].startswith("Cannot tell whether adding 50 % synthetic images helps")
    assert "three fields" in told["verdict"] and told["held_out"]["fields"] == 3
    assert {one["answer"] for one in told["compared"]} == {"cannot tell"}
    sets = [one["set"] for one in told["compared"]]  # the segmenter is in the table alone
    assert sets == ["relabelled", "synthetic", "replaced", "added"]
    assert "the segmenter itself" in (inputs.out / "downstream.html").read_text()
    assert all(one["difference"]["low"] is None for one in told["compared"])
    assert told["verdict"] in (inputs.out / "downstream.html").read_text()


def test_the_same_again_trains_nothing_and_writes_the_same(inputs, monkeypatch):
    before = (inputs.out / "detections.tsv").read_bytes()
    monkeypatch.setattr("pipeline_lib.detection.trials._train_unet", None)
    assert inputs.detectors() == 0
    assert (inputs.out / "detections.tsv").read_bytes() == before


def test_five_fields_have_intervals(inputs, tmp_path, monkeypatch):
    shutil.copytree(inputs.out, tmp_path / "out")
    monkeypatch.setattr(inputs, "out", tmp_path / "out")
    tiles = read_frame(tmp_path / "out/tiles.tsv").assign(unit=range(6))
    tiles.to_csv(tmp_path / "out/tiles.tsv", sep="\t", index=False)
    assert inputs.compare() == 0
    told = read_json(tmp_path / "out/downstream.json")
    assert told["held_out"]["fields"] == 6
    for one in told["compared"]:
        assert one["difference"]["low"] <= one["difference"]["value"] <= one["difference"]["high"]


def test_the_detector_of_real_images_may_label(tmp_path):
    made = Inputs(tmp_path)
    assert made.detectors(steps=1, labeller="detector") == 0
    assert len(read_frame(made.out / "trials.tsv")) == 16


def test_too_few_synthetic_images_are_refused_before_training(tmp_path, capsys):
    made = Inputs(tmp_path)
    for path in sorted((made.folder / "labels/synthetic/images").iterdir()):
        assert path.suffix == ".png"
    told = read_json(made.folder / "labels/synthetic/instances.json")
    told["images"] = told["images"][:1]
    (made.folder / "labels/synthetic/instances.json").write_text(json.dumps(told))
    assert made.detectors() == 2 and not (made.folder / "work").exists()
    assert "replaced 50% needs 2 synthetic images for 4 real tiles" in capsys.readouterr().err


def test_held_out_tiles_without_masks_or_objects_are_refused(tmp_path, capsys):
    made = Inputs(tmp_path)
    stack = read_stack(made.folder / "holdout.masks.tif")
    known = {"known": [True] * 4 + [False] * 2}
    write_stack(made.folder / "holdout.masks.tif", stack, known)
    assert made.detectors() == 2
    assert "2 of 6 held-out tiles have no known masks" in capsys.readouterr().err
    write_stack(made.folder / "holdout.masks.tif", 0 * stack, {"known": [True] * 6})
    assert made.detectors() == 2
    assert "show no object in any held-out tile" in capsys.readouterr().err


def write_field(folder: Path, name: str, masks: np.ndarray) -> dict[str, Path]:
    """Write what the stages before leave of one field, and a file of its masks."""
    sides = masks.shape
    told = {"axes": "YX", "shape": list(sides), "planes": [{}], "pixel_size_um": 0.5}
    (folder / f"{name}.json").write_text(json.dumps(told))
    (folder / name / "masks").mkdir(parents=True)
    tifffile.imwrite(folder / name / "masks/f.tif", masks)
    return {"sidecars": folder / f"{name}.json", "masks": folder / name / "masks/f.tif"}


def write_places(folder: Path) -> dict[str, Path]:
    """Write where a tile of each role was cut from a field `f`, and return the other paths."""
    split = "source\tplane\ty0\ty1\tx0\tx1\tgroup\trole\tcaption\n"
    split += "f\t0\t0\t80\t0\t40\tg\ttrain\t\nf\t0\t0\t80\t40\t80\th\tholdout\t\n"
    (folder / "split.tsv").write_text(split)
    paths = {"split": folder / "split.tsv", "picture": folder / "masks.png"}
    for role, x in (("train", 8), ("holdout", 48)):
        tiles = np.random.default_rng(0).integers(0, 255, (1, 32, 32)).astype(np.uint8)
        write_stack(folder / f"{role}.tif", tiles)
        (folder / f"{role}.tsv").write_text(f"tile\tsource\tplane\ty\tx\n0\tf\t0\t3\t{x}\n")
        paths |= {f"{role}_tiles": folder / f"{role}.tif"}
        paths |= {f"{role}_table": folder / f"{role}.tsv"}
        paths |= {f"{role}_masks": folder / f"{role}.masks.tif"}
    return paths


MASKS = np.kron(np.arange(1, 17).reshape(4, 4), np.ones((20, 20))).astype(np.uint16)
CUT = {"tiles": {"size": 32}, "sources": [{"source": "f", "reading": {}}]}


def test_masks_are_cut_as_the_tables_say(tmp_path):
    paths = write_field(tmp_path, "f", MASKS) | write_places(tmp_path)
    assert call("masks", CUT, **paths) == 0
    for role, x in (("train", 8), ("holdout", 48)):
        found = read_stack(tmp_path / f"{role}.masks.tif")
        np.testing.assert_array_equal(found[0], MASKS[3:35, x : x + 32])
        assert read_stack_metadata(tmp_path / f"{role}.masks.tif")["known"] == [True]
    assert (tmp_path / "masks.png").stat().st_size > 500


def test_masks_of_one_name_in_two_folders_have_a_hash_each(tmp_path):
    one, two = write_field(tmp_path, "f", MASKS), write_field(tmp_path, "g", MASKS + 1)
    both = {key: [one[key], two[key]] for key in one}
    stage = CUT | {"sources": [{"source": name, "reading": {}} for name in "fg"]}
    assert call("masks", stage, **both, **write_places(tmp_path)) == 0
    told = read_stack_metadata(tmp_path / "train.masks.tif")["provenance"]["inputs"]
    paths = dict(zip("fg", both["masks"], strict=True))
    assert told == {name: file_to_sha256(path) for name, path in paths.items()}


@pytest.mark.parametrize("role", ["train", "holdout"])
def test_tiles_of_another_table_are_refused(tmp_path, capsys, role):
    paths = write_field(tmp_path, "f", MASKS) | write_places(tmp_path)
    write_stack(tmp_path / f"{role}.tif", np.zeros((2, 32, 32), np.uint8))
    assert call("masks", CUT, **paths) == 2
    assert f"{role}.tif holds 2 tiles and its table 1" in capsys.readouterr().err
