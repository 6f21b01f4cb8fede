"""Folders as labs leave them: what is proposed must fit the files, as planning checks it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import yaml
from PIL import Image

from pipeline_lib.beginning.command import begin
from pipeline_lib.file_checks import refuse_unfit_files
from pipeline_lib.imaging.headers import HeaderCache
from pipeline_lib.study.loading import load_study
from pipeline_lib.study.parts import Study
from tests.beginning.folders import field, save_stack
from tests.imaging.test_reading import micro_manager_stack

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    return tmp_path / "photos"


def plan(folder: Path, overwrite: bool = False) -> tuple[Study, dict]:
    """Write a configuration, check it as planning does, and return it."""
    begin(folder, Path("place"), overwrite, ROOT)
    config = yaml.safe_load(Path("place/config.yaml").read_text())
    headers = HeaderCache(Path("work/headers.json"))
    study = load_study(config, Path(), ROOT, headers.first_files)
    refuse_unfit_files(study, headers)
    return study, config


def planes(key: int, *outer: int) -> np.ndarray:
    return np.stack([field(key)] * int(np.prod(outer))).reshape(*outer, 160, 160)


def test_files_of_different_axes_get_cells_of_their_own(folder):
    for key in range(3):
        tifffile.imwrite(folder / f"plain{key}.tif", field(key))
        names = {"Channel": {"Name": ["BF", "GFP"]}}
        save_stack(folder / f"stack{key}.ome.tif", planes(key + 3, 3, 2), "ZCYX", **names)
    study, _ = plan(folder)
    readings = {s.path.name: s.reading for s in next(iter(study.sources.values())).values()}
    assert (readings["stack1.ome.tif"].channel, readings["stack1.ome.tif"].z) == ("BF", "middle")
    assert (readings["plain1.tif"].channel, readings["plain1.tif"].z) == (None, "only")
    assert "# DECIDE: `z` middle: the middle one of 3" in Path("place/samples.tsv").read_text()


def test_axes_that_no_file_says_are_asked_for_and_fit(folder):
    for key in range(3):
        image = np.stack([field(key, defocus_um=float(z)) for z in range(5)])
        tifffile.imwrite(folder / f"{key}.tif", image, photometric="minisblack", metadata=None)
    _, config = plan(folder)
    assert config["concepts"]["photos"]["reading"]["axes"] == "ZYX"
    assert "# DECIDE: the files do not say what their axes" in Path("place/config.yaml").read_text()


def test_true_colour_is_asked_about(folder):
    for key in range(3):
        grey = (field(key) / 16).astype(np.uint8)
        Image.fromarray(np.stack([grey, grey // 2, grey], -1)).save(folder / f"{key}.png")
    _, config = plan(folder)
    assert config["concepts"]["photos"]["reading"] == {"colour": "luminance"}


def test_positions_of_one_file_are_rows_and_groups_of_their_own(folder):
    with tifffile.TiffWriter(folder / "all.ome.tif", ome=True) as tiff:
        for key in range(4):
            tiff.write(field(key), photometric="minisblack", metadata={"Name": f"place {key}"})
    study, _ = plan(folder)
    assert len(study.sources["photos"]) == 4
    assert len({region.group for region in study.regions["photos"]}) == 4


def test_a_blank_position_of_a_file_is_left_out_alone(folder):
    with tifffile.TiffWriter(folder / "all.ome.tif", ome=True) as tiff:
        for key in range(4):
            plane = np.full((160, 160), 7, np.uint16) if key == 2 else field(key)
            tiff.write(plane, photometric="minisblack", metadata={"Name": f"place {key}"})
    told = "\n".join(begin(folder, Path("place"), False, ROOT))
    assert "Left out: 1 picture, or" in told
    assert "  all.ome.tif position place 2: all pixels are 7" in told
    study, _ = plan(folder, overwrite=True)
    listed = {source.reading.position for source in study.sources["photos"].values()}
    assert listed == {f"place {key}" for key in (0, 1, 3)}


@pytest.mark.parametrize("positions", [1, 3])
def test_long_series_of_micro_manager_are_listed_once(folder, positions):
    summary = {"Positions": positions, "Frames": 4, "Slices": 1, "Channels": 1}
    for number in range(positions):
        for part, name in enumerate(("", "_1")):
            path = folder / f"a_MMStack_Pos{number}{name}.ome.tif"
            image = planes(number, 1, 2, 1, 1)
            micro_manager_stack(path, image, summary, position=number, time=2 * part)
    study, _ = plan(folder)
    listed = sorted(source.path.name for source in study.sources["photos"].values())
    assert listed == [f"a_MMStack_Pos{number}.ome.tif" for number in range(positions)]


def test_kinds_in_folders_are_concepts_with_a_run_each(folder):
    for kind, first in (("beads", 0), ("yeast", 3)):
        (folder / kind).mkdir()
        for key in range(3):
            tifffile.imwrite(folder / kind / f"{key}.tif", field(first + key))
    study, config = plan(folder)
    assert sorted(study.runs) == ["beads", "yeast"]
    assert config["concepts"]["yeast"]["noun"] == "budding yeast"
    assert "together" in Path("place/runs.tsv").read_text()
    text = Path("place/runs.tsv").read_text().replace("# together", "together")
    Path("place/runs.tsv").write_text(text)
    assert len(load_study(config, Path(), ROOT).runs["together"].concepts) == 2


def test_a_time_lapse_in_one_file_is_one_place_with_all_its_frames(folder):
    save_stack(folder / "movie.ome.tif", planes(0, 6), "TYX")
    study, _ = plan(folder)
    regions = study.regions["photos"]
    assert sorted(region.role for region in regions) == ["holdout", "train"]
    assert study.sources["photos"][regions[0].source].reading.t == "all"


def test_small_fields_get_small_tiles_and_class_images(folder):
    for key in range(3):
        tifffile.imwrite(folder / f"{key}.tif", field(key)[:90, :100])
    _, config = plan(folder)
    assert next(iter(config["datasets"].values()))["tiles"]["size"] == 88
    assert next(iter(config["priors"].values()))["size"] == 88


@pytest.mark.parametrize(
    "name", ["a b.tif", "img[1].tif", "Zellen ä.tif", "#1.tif", '"q".tif', "1'.tif"]
)
def test_names_with_special_letters_come_through_the_sheet(folder, name):
    for key, other in enumerate((name, "other.tif", "third.tif")):
        tifffile.imwrite(folder / other, field(key))
    study, _ = plan(folder)
    assert {source.path.name for source in study.sources["photos"].values()} >= {name}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda image: image * 16, "all values are multiples of 16, where the concept has"),
        (lambda image: (image // 16).astype(np.uint8), "uint8 pixels of level"),
        (lambda image: image // 6, "its level, "),
    ],
)
def test_pictures_of_another_scale_are_told_as_the_quality_check_will_refuse_them(
    folder, change, reason
):
    for key in range(6):
        image = field(key)
        tifffile.imwrite(folder / f"{key}.tif", change(image) if key in (1, 4) else image)
    told = "\n".join(begin(folder, Path("place"), False, ROOT))
    assert "2 of 6 pictures will be refused by the quality check" in told
    assert f"    1.tif: {reason}" in told and f"    4.tif: {reason}" in told
    assert "2.tif" not in told and "image_percentile" not in told
    _, config = plan(folder, overwrite=True)
    assert "method" not in config["datasets"]["photos-128"].get("intensity", {})
    sheet = Path("place/samples.tsv").read_text()
    assert "# DECIDE: what of 1.tif, 4.tif? The quality check will refuse them, for" in sheet
