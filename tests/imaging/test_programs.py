"""The four programs, one after another, as a person would run them by hand."""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile

from pipeline_lib.files import read_json
from pipeline_lib.imaging.sources import path_to_source
from pipeline_lib.imaging.stacks import read_planes, read_stack
from pipeline_lib.imaging.tables import read_table
from pipeline_lib.imaging.tiling import TileSet
from pipeline_lib.settings.splitting import ROLES
from tests.imaging.test_near_duplicates import photograph, scene

ROOT = Path(__file__).parents[2]
PROGRAM = runpy.run_path(str(ROOT / "scripts" / "tiles.py"))
REAL = ROOT.parent / "shared" / "data"


def arguments(program, settings, paths):
    command = [str(ROOT / "scripts" / f"{program}.py"), "--settings", json.dumps(settings)]
    for name, value in paths.items():
        listed = value if isinstance(value, list) else [value]
        command += ["--" + name.replace("_", "-"), *map(str, listed)]
    return command


def call(program, settings, **paths):
    """Run a program as its own process."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *arguments(program, settings, paths)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def succeed(program, settings, **paths):
    """Run a program in this process, which saves its imports."""
    command = arguments(program, settings, paths)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", command)
        runpy.run_path(command[0], run_name="__main__")


def chain(folder, regions, reading, tiles, intensity=None, accepted=(), light=None):
    """Run all four programs on (path, role, region) and return what they logged."""
    raw = list(dict.fromkeys(path for path, *_ in regions))
    names = {path: path_to_source(path) for path in raw}
    fields = {path: folder / f"{names[path]}.tif" for path in raw}
    log = {"log": folder / "log.txt"}
    for path in raw:
        settings = {"source": names[path], "reading": reading}
        sidecar = fields[path].with_suffix(".json")
        succeed("ingest", settings, raw=path, field=fields[path], sidecar=sidecar, **log)
    inputs = {"fields": list(fields.values())}
    sidecars = {"sidecars": [path.with_suffix(".json") for path in fields.values()]}
    quality = {"table": folder / "quality.tsv", "picture": folder / "quality.png"}
    pairs = {"near_duplicates": folder / "near_duplicates.tsv"}
    judged = {"thresholds": {}, "accepted": list(accepted)}
    succeed("quality", judged, **inputs, **sidecars, **quality, **pairs, **log)
    listed = [
        {"source": names[path], "group": names[path], "role": role, "region": region}
        for path, role, region in regions
    ]
    stage, blank = {}, {}
    if light:
        stage, blank = {"light": light["light"]}, {"blank": light["blank"]}
    settings = {"regions": listed, "split": {}, "intensity": intensity or {}, **stage}
    outputs = {"split": folder / "split.tsv", "intensity": folder / "intensity.json"}
    tables = {"quality": folder / "quality.tsv", **pairs}
    succeed("split", settings, **inputs, **tables, **blank, **outputs, **log)
    made = {role: folder / f"{role}.tif" for role in ROLES}
    made |= {f"{role}_table": folder / f"{role}.tsv" for role in ROLES}
    made |= {"contact_sheet": folder / "contact_sheet.png"}
    made |= {"train_regions": folder / "train-regions.tif"}
    succeed(
        "tiles", {"tiles": tiles, **stage}, **inputs, **sidecars, **outputs, **blank, **made, **log
    )
    return log["log"].read_text()


def test_the_chain_on_two_fields(tmp_path):
    draw = np.random.default_rng(0)
    image, other = draw.integers(500, 3500, (2, 3, 2, 80, 90)).astype(np.uint16)
    metadata = {"axes": "TCYX", "Channel": {"Name": ["DAPI", "BF"]}, "PhysicalSizeX": 0.5}
    for number, planes in enumerate((image, other)):
        path = tmp_path / f"f{number}.ome.tif"
        tifffile.imwrite(path, planes, ome=True, metadata=metadata)
    regions = [
        (str(tmp_path / "f0.ome.tif"), "train", None),
        (str(tmp_path / "f1.ome.tif"), "holdout", (0, 80, 20, 90)),
    ]
    chain(tmp_path, regions, {"channel": "BF"}, {"size": 64, "stride": 16})
    train, empty, holdout = (read_stack(tmp_path / f"{role}.tif") for role in ROLES)
    fields = read_planes(tmp_path / "train-regions.tif")
    assert [field.shape for field in fields] == [(80, 90)] * 3
    np.testing.assert_array_equal(fields[0][:64, :64], train[0])
    assert train.shape == (3 * 2 * 3, 64, 64) and empty.shape == (0, 64, 64)
    assert holdout.shape == (3 * 2 * 2, 64, 64)
    described = read_json(tmp_path / "intensity.json")
    low, high = described["low"], described["high"]
    row = read_table(tmp_path / "holdout.tsv")[-1]
    y, x = int(row["y"]), int(row["x"])
    counts = other[int(row["plane"]), 1][y : y + 64, x : x + 64].astype(float)
    expected = np.rint(np.clip((counts - low) * (255 / (high - low)), 0, 255))
    np.testing.assert_array_equal(holdout[-1], expected)
    assert row["pixel_size_um"] == "0.5" and not described["one_field"]
    percentiles = np.percentile(image[:, 1], (0.1, 99.9), method="inverted_cdf")
    assert [low, high] == percentiles.tolist()
    for name in ("quality.png", "contact_sheet.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_a_refusal_is_words_and_exit_code_2_and_leaves_nothing(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((4, 40, 40), "uint16"), photometric="minisblack")
    outputs = {"field": tmp_path / "field.tif", "sidecar": tmp_path / "field.json"}
    settings = {"source": "a", "reading": {}}
    done = call("ingest", settings, raw=path, log=tmp_path / "log.txt", **outputs)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "does not say what its axes are" in (tmp_path / "log.txt").read_text()
    assert not any(one.exists() for one in outputs.values())


@pytest.mark.parametrize("program", ["ingest", "quality", "split", "tiles"])
def test_help(program):
    script = str(ROOT / "scripts" / f"{program}.py")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, script, "--help"], env=environment, capture_output=True)
    assert done.returncode == 0 and b"--settings" in done.stdout


def test_the_demo_image(tmp_path):
    package = find_spec("ndev_sampledata")
    if package is None:
        pytest.skip("ndev-sampledata is not installed")
    folder = Path(next(iter(package.submodule_search_locations))) / "samples"
    path = str(folder / "scratch-assay-labeled-10T-2Ch.tiff")
    regions = [
        (path, "train", (0, 210, 0, 256)),
        (path, "validation", (0, 210, 256, 384)),
        (path, "holdout", (0, 210, 384, 576)),
    ]
    messages = chain(tmp_path, regions, {"channel": "oblique"}, {"size": 128, "stride": 32})
    assert "one field: differences cannot be told from chance" in messages
    counts = [len(read_stack(tmp_path / f"{role}.tif")) for role in ROLES]
    assert counts == [200, 40, 120]
    sidecar = read_json(tmp_path / f"{path_to_source(path)}.json")
    assert sidecar["pixel_size_um"] == 0.619 and sidecar["axes"] == "CTYX"
    assert sidecar["planes"] == [{"C": 1, "T": t} for t in range(10)]
    verdicts = {row["verdict"] for row in read_table(tmp_path / "quality.tsv")}
    assert verdicts == {"accepted"}


def test_what_the_check_finds_in_the_real_cho_images(tmp_path):
    paths = sorted((REAL / "cho_brightfield").glob("*.png"))
    if not paths:
        pytest.skip("the real CHO images are not here")
    regions = [(str(path), "auto", None) for path in paths]
    messages = chain(tmp_path, regions, {}, {"size": 256, "stride": 128})
    assert messages.count("a PNG file is no camera data") == 4
    rows = read_table(tmp_path / "quality.tsv")
    assert [row["verdict"] for row in rows] == ["warned"] * 4
    assert all("8x8 pixels: JPEG" in row["reason"] for row in rows)
    assert "21.7% of the pixels have the brightest value" in rows[1]["reason"]
    assert ["background varies" in row["reason"] for row in rows] == [True, True, False, True]


def write_fields(folder, planes):
    """Write planes as raw files and return their paths."""
    paths = []
    for number, plane in enumerate(planes):
        paths.append(str(folder / f"f{number}.tif"))
        tifffile.imwrite(paths[-1], plane, photometric="minisblack")
    return paths


def refusal(folder, regions):
    """Return what the chain's refusal says."""
    with pytest.raises(SystemExit):
        chain(folder, regions, {}, {"size": 64})
    return (folder / "log.txt").read_text().split("error: ")[1]


def test_one_place_on_two_sides_is_refused(tmp_path):
    light = scene(1, 40, 256)
    planes = [photograph(light, 1), photograph(light, 2), photograph(scene(2, 40, 256), 3)]
    paths = write_fields(tmp_path, planes)
    regions = [(paths[0], "train", None), (paths[1], "holdout", None), (paths[2], "train", None)]
    told = refusal(tmp_path, regions)
    assert "f0-" in told and "f1-" in told and "show one place" in told and "`group`" in told
    (pair,) = read_table(tmp_path / "near_duplicates.tsv")
    assert float(pair["correlation"]) > 0.8
    regions[1] = (paths[1], "train", None)
    chain(tmp_path, [*regions[:2], (paths[2], "holdout", None)], {}, {"size": 64})


def test_two_held_out_fields_times_sixteen_are_refused(tmp_path):
    planes = [photograph(scene(seed, 12, 256), seed, 200) for seed in range(6)]
    paths = write_fields(
        tmp_path, [plane * 16 if k > 3 else plane for k, plane in enumerate(planes)]
    )
    regions = [(path, "holdout" if k > 3 else "train", None) for k, path in enumerate(paths)]
    assert "quality check refused every plane with the role holdout" in refusal(tmp_path, regions)
    verdicts = [row["verdict"] for row in read_table(tmp_path / "quality.tsv")]
    assert verdicts == ["accepted"] * 4 + ["refused"] * 2


def test_other_types_of_pixels_that_a_person_accepted_are_refused_by_name(tmp_path):
    planes = [photograph(scene(seed, 12, 256), seed, 200) for seed in range(4)]
    paths = write_fields(tmp_path, [planes[0].astype(np.uint8), *planes[1:]])
    regions = [(path, "holdout" if k == 1 else "train", None) for k, path in enumerate(paths)]
    accepted = tuple(path_to_source(path) for path in paths)
    with pytest.raises(SystemExit):
        chain(tmp_path, regions, {}, {"size": 64}, accepted=accepted)
    told = (tmp_path / "log.txt").read_text().split("error: ")[1]
    assert "different types: uint16 (" in told and "uint8 (f0-" in told


@pytest.mark.parametrize("rescale", [False, True])
def test_the_pixel_size_of_a_refused_field_does_not_count(tmp_path, rescale):
    planes = [photograph(scene(seed, 12, 256), seed, 200) for seed in range(3)]
    planes[2][:, :200] = np.iinfo(planes[2].dtype).max
    paths = [str(tmp_path / f"f{number}.ome.tif") for number in range(3)]
    for path, plane, size in zip(paths, planes, (0.5, 0.5, 1.0), strict=True):
        tifffile.imwrite(path, plane, ome=True, metadata={"PhysicalSizeX": size})
    regions = [
        (path, role, None) for path, role in zip(paths, ("train", "holdout", "train"), strict=True)
    ]
    chain(tmp_path, regions, {}, {"size": 64, "rescale": rescale})
    verdicts = [row["verdict"] for row in read_table(tmp_path / "quality.tsv")]
    assert verdicts[2] == "refused" and "refused" not in verdicts[:2]
    rows = read_table(tmp_path / "train.tsv")
    assert {(row["scale"], row["pixel_size_um"]) for row in rows} == {("1", "0.5")}


def test_clipped_foreground_is_written_down_and_warned_of(tmp_path):
    draw = np.random.default_rng(0)
    planes = []
    for _ in range(2):
        plane = draw.normal(10_000, 30, (256, 256)).round().astype(np.uint16)
        for y, x in draw.integers(20, 220, (4, 2)):
            plane[y : y + 10, x : x + 12] = draw.integers(4000, 8000, (10, 12))
        planes.append(plane)
    paths = write_fields(tmp_path, planes)
    regions = [(paths[0], "train", None), (paths[1], "holdout", None)]
    messages = chain(tmp_path, regions, {}, {"size": 64})
    described = read_json(tmp_path / "intensity.json")
    assert described["losses"]["clipped_foreground"] == pytest.approx(0.14, abs=0.04)
    assert any("of the foreground lie beyond" in one for one in described["split_warnings"])
    assert "of the foreground lie beyond" in messages


def test_the_contact_sheet_names_its_fields_and_stays_small(tmp_path):
    draw = np.random.default_rng(0)
    planes = draw.integers(500, 3500, (30, 512, 512)).astype(np.uint16)
    paths = write_fields(tmp_path, planes)
    regions = [(path, "holdout" if k % 2 else "train", None) for k, path in enumerate(paths)]
    chain(tmp_path, regions, {}, {"size": 512})
    assert (tmp_path / "contact_sheet.png").stat().st_size < 3e6
    assert (tmp_path / "quality.png").stat().st_size < 3e6
    tiles = TileSet(
        read_stack(tmp_path / "train.tif"),
        tuple(SimpleNamespace(**row) for row in read_table(tmp_path / "train.tsv")),
        0,
        (),
    )
    labels, shown = zip(*PROGRAM["tiles_to_sheet"]("train", tiles), strict=True)
    for path in paths[::2]:
        assert any(path_to_source(path) in label for label in labels)
    assert max(images.shape[1] for images in shown) <= 160


def test_labels_of_the_contact_sheet_say_how_many_tiles_are_shown():
    sources = ["few"] * 3 + ["many"] * 34
    images = np.zeros((37, 8, 8), np.uint8)
    tiles = TileSet(images, tuple(SimpleNamespace(source=one) for one in sources), 0, ())
    for label, shown in PROGRAM["tiles_to_sheet"]("train", tiles):
        source, number, every = re.fullmatch(
            r"train: (\w+) \((\d+) of its (\d+) tiles\)", label
        ).groups()
        assert (int(number), int(every)) == (len(shown), sources.count(source))


def test_light_is_evened_out_before_anything_is_cut(tmp_path):
    x = np.arange(256)[np.newaxis] / 256
    lamp = np.broadcast_to(1000 * (1 + 0.5 * x), (256, 256))
    lights = [scene(seed, 6, 256) for seed in range(2)]
    planes = [np.rint(light * lamp).astype(np.uint16) for light in lights]
    paths = write_fields(tmp_path, planes)
    tifffile.imwrite(tmp_path / "blank.tif", np.rint(lamp).astype(np.uint16))
    regions = [(paths[0], "train", None), (paths[1], "holdout", None)]
    light = {"light": {"transmittance": "blank"}, "blank": tmp_path / "blank.tif"}
    chain(tmp_path, regions, {}, {"size": 64}, light=light)
    (even,) = read_planes(tmp_path / "train-regions.tif")
    assert np.corrcoef(even.ravel(), lights[0].ravel())[0, 1] > 0.98
    background = even[lights[0] > 0.99]
    assert background.std() < 0.02 * np.ptp(even)
