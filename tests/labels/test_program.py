"""The program: what it leaves is opened by others' tools, and words alone tell what is real."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
import yaml
from PIL import Image

from pipeline_lib.evaluation.objects import fit_segmenter
from pipeline_lib.imaging.writing import image_to_tiff, read_provenance
from pipeline_lib.sampling import shard_files
from pipeline_lib.sampling.manifests import ManifestRow
from tests.evaluation.shards import draw_fields, write_shard, write_tiles
from tests.labels.test_formats import check_coco

ROOT = Path(__file__).resolve().parents[2]
SETS = ("synthetic", "train", "holdout")
CONCEPTS = [
    {"concept": name, "dataset": f"{name}-64", "noun": noun}
    for name, noun in (("yeast", "cells"), ("rods", "rod bacteria"))
]


def spoil(shard: Path, index: int) -> None:
    """Make an image of a shard one that is not finite, without a file."""
    rows = [ManifestRow(**row) for row in shard_files.read_shard(shard).to_dict("records")]
    pixels = list(shard_files.read_pictures(shard / row.file for row in rows))
    rows[index] = replace(rows[index], status="not finite", reason="9 pixels", file="", sha256="")
    made = [image_to_tiff(image, None, {}) for image in pixels]
    shard_files.write_shard(shard, zip(rows, made, strict=True))


class Inputs:
    """Shards and tiles of concepts; three of the images of each are no pictures."""

    def __init__(self, folder: Path, concepts: Sequence[dict[str, str]] = CONCEPTS) -> None:
        self.folder, self.concepts = folder, concepts
        self.paths: dict[str, list[Path]] = {"shards": []}
        for seed, one in enumerate(concepts):
            name = one["concept"]
            drawn, held = draw_fields(seed, 6, 64), draw_fields(seed + 20, 4, 64)
            drawn[4] = held[3] = 77
            shard = write_shard(folder / f"{name}.zip", drawn, name, bad=[1])
            spoil(shard, 2)
            self.paths["shards"].append(shard)
            write_tiles(folder, f"{name}-train", draw_fields(seed + 10, 4, 64), list("aabb"))
            write_tiles(folder, f"{name}-holdout", held, list("ccdd"))
            for role in ("train", "holdout"):
                stem = folder / f"{name}-{role}"
                self.paths.setdefault(f"{role}_tiles", []).append(stem.with_suffix(".tif"))
                self.paths.setdefault(f"{role}_tables", []).append(stem.with_suffix(".tsv"))

    def run(self, name: str = "out", **settings: object) -> tuple[int, Path]:
        """Run the program in this process; return its exit code and the folder."""
        stage = {"run": "trial", "concepts": self.concepts, "labels": settings}
        arguments = ["labels.py", "--settings", json.dumps(stage)]
        for option, values in self.paths.items():
            arguments += [f"--{option.replace('_', '-')}", *map(str, values)]
        folder = self.folder / name
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", [*arguments, "--labels", str(folder)])
            try:
                runpy.run_path(str(ROOT / "scripts/labels.py"), run_name="__main__")
            except SystemExit as end:
                return end.code, folder
        return 0, folder


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return Inputs(tmp_path_factory.mktemp("labels"))


@pytest.fixture(scope="module")
def out(inputs):
    code, folder = inputs.run()
    assert code == 0
    return folder


def read_coco(out, name):
    return json.loads((out / name / "instances.json").read_text())


@pytest.mark.parametrize("name", SETS)
def test_masks_boxes_and_coco_say_the_same(out, name):
    coco = read_coco(out, name)
    masks = dict(zip([one["id"] for one in coco["annotations"]], check_coco(coco), strict=True))
    assert [one["name"] for one in coco["categories"]] == ["cells", "rod bacteria"]
    assert masks
    for image in coco["images"]:
        stem = Path(image["file_name"]).stem
        own = [one for one in coco["annotations"] if one["image_id"] == image["id"]]
        labels = tifffile.imread(out / name / "masks" / f"{stem}.tif")
        assert labels.dtype == np.uint16 and labels.max() == len(own)
        for one in own:
            np.testing.assert_array_equal(labels == one["label"], masks[one["id"]])
        lines = (out / name / "labels" / f"{stem}.txt").read_text().splitlines()
        named = [str(one["category_id"] - 1) for one in own]
        assert [line.split()[0] for line in lines] == named
        assert set(named) <= {"0" if image["concept"] == "yeast" else "1"}


@pytest.mark.parametrize("name", SETS)
def test_only_words_tell_real_from_synthetic(out, name):
    for path in sorted((out / name / "images").iterdir()):
        with Image.open(path) as image:
            told = json.loads(image.text["Description"])
            form = (image.format, image.mode, sorted(image.info), round(image.info["dpi"][0]))
        assert form == ("PNG", "L", ["Description", "dpi"], 50800)
        assert sorted(told) == ["concept", "image", "run", "set", "synthetic"]
        assert told["synthetic"] is (name == "synthetic") and told["set"] == name
        mask = read_provenance(out / name / "masks" / f"{path.stem}.tif")
        assert mask["synthetic"] is told["synthetic"]
        assert len(mask["confidences"]) == len(mask["truncated"])
    assert read_coco(out, name)["info"]["synthetic"] is (name == "synthetic")


def test_pixels_and_labels_are_those_of_one_segmenter_fitted_to_training_tiles(out):
    coco = read_coco(out, "synthetic")
    first = coco["images"][0]
    assert first["image"] == "yeast/yeast-64-subject/000000"
    expected = draw_fields(0, 6, 64)[0]
    with Image.open(out / "synthetic/images" / first["file_name"]) as image:
        np.testing.assert_array_equal(np.asarray(image), expected)
    segmenter = fit_segmenter(draw_fields(10, 4, 64))
    stem = Path(first["file_name"]).stem
    labels = tifffile.imread(out / f"synthetic/masks/{stem}.tif")
    np.testing.assert_array_equal(labels, segmenter.image_to_labels(expected))


def test_what_shows_nothing_is_left_out_and_counted(out):
    told = json.loads((out / "labels.json").read_text())["sets"]
    assert told["synthetic"]["left_out"] == {"blank": 4, "not finite": 2}
    assert told["holdout"]["left_out"] == {"blank": 2} and told["train"]["left_out"] == {}
    assert [told[name]["images"] for name in SETS] == [6, 8, 6]
    for name in SETS:
        files = [len(list((out / name / part).iterdir())) for part in ("images", "masks", "labels")]
        assert files == [told[name]["images"]] * 3
        annotations = read_coco(out, name)["annotations"]
        assert told[name]["objects"] == len(annotations)
        assert told[name]["truncated"] == sum(one["truncated"] for one in annotations) > 0


def test_yolo_finds_sets_and_labels_beside_the_images(out):
    told = yaml.safe_load((out / "data.yaml").read_text())
    assert told.pop("names") == {0: "cells", 1: "rod bacteria"}
    assert list(told) == ["train", "val", "test"]
    for folder in told.values():
        for path in (out / folder).iterdir():  # as readers of YOLO look for labels
            assert Path(str(path).replace("/images/", "/labels/")).with_suffix(".txt").is_file()


def test_pycocotools_reads_it(out):
    reader = pytest.importorskip("pycocotools.coco").COCO(str(out / "synthetic/instances.json"))
    one = reader.loadAnns(reader.getAnnIds())[0]
    assert reader.annToMask(one).sum() == one["area"]


def test_images_may_be_tiff_and_unsure_objects_left_out(inputs, out):
    code, other = inputs.run("other", format="tiff", minimum_confidence=0.5)
    assert code == 0
    for name in SETS:
        scores = [one["score"] for one in read_coco(out, name)["annotations"]]
        kept = [one["score"] for one in read_coco(other, name)["annotations"]]
        assert kept == [score for score in scores if score >= 0.5] and len(kept) < len(scores)
        for path in (other / name / "images").iterdir():
            assert path.suffix == ".tif"
            assert read_provenance(path)["synthetic"] is (name == "synthetic")


def test_equal_inputs_give_equal_files(inputs, out):
    code, again = inputs.run("again")
    assert code == 0
    files = [path.relative_to(out) for path in sorted(out.rglob("*")) if path.is_file()]
    assert len(files) > 60
    for file in files:
        assert (out / file).read_bytes() == (again / file).read_bytes(), file


def test_a_picture_shows_outlines(out):
    for name in SETS:
        with Image.open(out / name / "overlay.png") as image:
            pixels = np.asarray(image).astype(int)
        assert (np.ptp(pixels, axis=2) > 50).any()  # colours on grey


def test_names_that_hold_hyphens_share_no_files(tmp_path):
    """Concept `a` with the folder `b-c-64-subject`, and concept `a-b` with `c-64-subject`."""
    concepts = [
        {"concept": name, "dataset": f"{name}-64", "noun": "cells"} for name in ("a", "a-b")
    ]
    inputs = Inputs(tmp_path, concepts)
    inputs.paths["shards"] = [
        write_shard(tmp_path / f"{number}.zip", draw_fields(number, 2, 64), concept, folder=folder)
        for number, (concept, folder) in enumerate(
            [("a", "b-c-64-subject"), ("a-b", "c-64-subject")]
        )
    ]
    code, out = inputs.run()
    assert code == 0
    for part in ("images", "masks", "labels"):
        assert len(list((out / "synthetic" / part).iterdir())) == 4


def test_tables_and_tiles_must_be_as_many_as_concepts(inputs, monkeypatch, capsys):
    monkeypatch.setitem(inputs.paths, "train_tiles", inputs.paths["train_tiles"][:1])
    code, folder = inputs.run("refused")
    assert code == 2 and not folder.exists()
    assert "--train-tiles needs 2 paths, one for each concept, found 1" in capsys.readouterr().err
