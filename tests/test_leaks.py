"""What stands on two sides of a run is refused before a job starts, with both rows."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_lib.files import file_to_sha256
from pipeline_lib.imaging.headers import HeaderCache
from pipeline_lib.imaging.splitting import regions_to_roles
from pipeline_lib.leaks import PlacedRegion, refuse_two_sides
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.splitting import SourceRegion, SplitSettings
from pipeline_lib.study.loading import load_study
from tests.study.folders import RUNS, SAMPLES, Folder

BOTH = RUNS + "both\ttoy\tround-64,long-64\tclass\n"


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def sheet(*rows):
    """Return a sheet of (concept, path, group, role, region)."""
    return SAMPLES + "".join("\t".join([*row, ""]) + "\n" for row in rows)


def load(folder, *rows, runs=BOTH):
    folder.samples, folder.runs = sheet(*rows), runs
    return folder.load()


OTHERS = [("round", "r2.tif", "", "holdout", ""), ("long", "l2.tif", "", "train", "")]


@pytest.mark.parametrize("name", ["r1.tif", "link.tif", "hard.tif", "inner/r1.tif", "{}/r1.tif"])
def test_a_file_in_two_concepts_of_a_run_has_one_side(folder, name):
    data = folder.root / "data"
    (data / "link.tif").symlink_to(data / "r1.tif")
    os.link(data / "r1.tif", data / "hard.tif")
    (data / "inner").symlink_to(data)
    name = name.format(data)
    rows = [("round", "r1.tif", "", "train", ""), ("long", name, "", "holdout", ""), *OTHERS]
    message = (
        r"samples\.tsv: the file \S+\.tif is train in concept `round` \(row 2\) and holdout "
        r"in concept `long` \(row 3\), and run `both` .*give both rows one `role`"
    )
    with pytest.raises(UserError, match=message):
        load(folder, *rows)
    load(folder, *rows, runs=RUNS + "a\ttoy\tround-64\tclass\nb\ttoy\tlong-64\tclass\n")
    rows[1] = ("long", name, "", "train", "")
    load(folder, *rows, ("long", "l1.tif", "", "holdout", ""))


def test_a_copy_of_a_file_in_two_concepts_of_a_run_has_one_side(folder):
    """Copies have equal bytes; files that are as long and differ are none."""
    for name, content in {"r1": b"one", "r2": b"two", "l1": b"six", "l2": b"one"}.items():
        (folder.root / f"data/{name}.tif").write_bytes(content)
    rows = [("round", "r1.tif", "", "train", ""), ("long", "l2.tif", "", "holdout", "")]
    others = [("round", "r2.tif", "", "holdout", ""), ("long", "l1.tif", "", "train", "")]
    message = (
        r"the file l2\.tif, a copy of r1\.tif, is train in concept `round` \(row 2\) and holdout "
        r"in concept `long` \(row 3\), and run `both`"
    )
    with pytest.raises(UserError, match=message):
        load(folder, *rows, *others)
    (folder.root / "data/l2.tif").write_bytes(b"ten")
    load(folder, *rows, *others)


@pytest.mark.parametrize("link", ["link.tif", "{}/r1.tif"])
def test_a_concept_names_a_file_by_one_path(folder, link):
    data = folder.root / "data"
    (data / "link.tif").symlink_to(data / "r1.tif")
    rows = [("round", "r1.tif", "", "train", ""), ("round", link.format(data), "", "holdout", "")]
    with pytest.raises(UserError, match=r"row 3: path: .*is the same file as .*r1\.tif of row 2"):
        load(folder, *rows, *OTHERS)


def test_a_group_in_two_concepts_of_a_run_has_one_side(folder):
    rows = [("round", "r1.tif", "A1", "train", ""), ("long", "l1.tif", "A1", "holdout", "")]
    with pytest.raises(UserError, match=r"group 'A1' is train .*\(row 2\) and holdout .*\(row 3\)"):
        load(folder, *rows, *OTHERS)


def test_drawn_roles_count_too(folder):
    """Seed and sheet draw them, so that they are known while planning."""
    folder.config["datasets"]["round-64"]["split"] = {"validation": 0, "holdout": 0.5}
    rows = [("round", "r1.tif", "A1", "auto", ""), ("round", "r2.tif", "B1", "auto", "")]
    drawn = load(
        folder, *rows, ("long", "l1.tif", "", "train", ""), (*OTHERS[1][:3], "holdout", "")
    )
    roles = regions_to_roles(drawn.regions["round"], drawn.configuration.datasets["round-64"].split)
    other = {"train": "holdout", "holdout": "train"}
    long = [("long", "l1.tif", "A1", other[roles[0]], ""), ("long", "l2.tif", "", roles[0], "")]
    with pytest.raises(UserError, match=rf"{roles[0]} in concept `round` \(row 2, drawn\)"):
        load(folder, *rows, *long)
    long = [("long", "l1.tif", "A1", roles[0], ""), ("long", "l2.tif", "", other[roles[0]], "")]
    load(folder, *rows, *long)


ROLES = st.sampled_from(["train", "validation", "holdout", "auto"])
PLACED = st.tuples(st.sampled_from("ab"), st.integers(0, 3), st.sampled_from("ghij"), ROLES)


@settings(max_examples=300)
@given(st.lists(PLACED, min_size=2, max_size=8))
def test_nothing_passes_on_two_sides(tmp_path_factory, rows):
    folder = tmp_path_factory.getbasetemp()
    placed, roles = [], []
    for concept in "ab":
        listed = [row for row in rows if row[0] == concept]
        regions = [
            SourceRegion(source=f"s{number}", group=group, role=role)
            for _, number, group, role in listed
        ]
        try:
            roles += regions_to_roles(regions, SplitSettings())
        except UserError:
            return
        for region in regions:
            path = folder / region.source
            path.touch()
            placed.append(PlacedRegion(concept, "samples.tsv: row 1", path, region))
    sides: dict = {}
    for one, role in zip(placed, roles, strict=True):
        for key in (one.region.source, one.region.group):
            sides.setdefault(key, {}).setdefault(one.concept, set()).add(role)
    wrong = any(
        len(found) == 2 and any(a != b for a in found["a"] for b in found["b"])
        for found in sides.values()
    )
    if wrong:
        with pytest.raises(UserError):
            refuse_two_sides("run", placed, roles, file_to_sha256)
    else:
        refuse_two_sides("run", placed, roles, file_to_sha256)


# --- groups --------------------------------------------------------------------------------------


def add_files(folder, *names):
    for name in names:
        (folder.root / "data" / name).write_bytes(b"")


def test_time_points_of_one_position_are_one_group_unless_the_sheet_says_so(folder):
    add_files(folder, *(f"A0{well}_t{time}.tif" for well in (1, 2) for time in (1, 2)))
    own = [("long", "l1.tif", "", "train", ""), ("long", "l2.tif", "", "holdout", "")]
    regions = load(folder, ("round", "A0*.tif", "", "auto", ""), *own).regions["round"]
    assert [one.group for one in regions] == ["A01_t*.tif"] * 2 + ["A02_t*.tif"] * 2
    assert all(one.group_proposed for one in regions)
    regions = load(folder, ("round", "A0*.tif", "mine", "train", ""), OTHERS[0], *own).regions
    assert {one.group for one in regions["round"]} == {"mine", "r2.tif"}
    assert not regions["round"][0].group_proposed
    rows = [("round", "A01_t1.tif", "", "train", ""), ("round", "A01_t2.tif", "", "holdout", "")]
    with pytest.raises(UserError, match=r"row 3: role: group `A01_t\*\.tif`.*give each a word"):
        load(folder, *rows, *own)


@pytest.mark.parametrize(("unit", "factor"), [("µm", 1.0), ("mm", 1e-3), ("nm", 1e3)])
def test_the_stage_tells_what_names_do_not(folder, unit, factor):
    """Two snapshots of each of two places, as OME-TIFF with the stage's coordinates."""
    for number, x in enumerate((10.2, 10.4, 250.0, 249.8)):
        plane = {"PositionX": x * factor, "PositionY": 5.0 * factor}
        plane |= {"PositionXUnit": unit, "PositionYUnit": unit}
        path = folder.root / "data" / f"snap{number}.ome.tif"
        image = np.random.default_rng(number).integers(0, 99, (40, 40)).astype(np.uint8)
        tifffile.imwrite(path, image, ome=True, metadata={"axes": "YX", "Plane": plane})
    own = [("long", "l1.tif", "", "train", ""), ("long", "l2.tif", "", "holdout", "")]
    folder.samples, folder.runs = sheet(("round", "snap*.ome.tif", "", "auto", ""), *own), BOTH
    folder.load()
    cache = HeaderCache(folder.root / "headers.json")
    study = load_study(folder.config, folder.root, folder.root, places=cache.places)
    groups = [region.group for region in study.regions["round"]]
    assert groups == ["snap0.ome.tif"] * 2 + ["snap2.ome.tif"] * 2


def test_positions_of_one_file_may_stand_on_two_sides_of_a_run(folder):
    header = SAMPLES.replace("channel", "position")
    rows = [
        ("round", "r1.tif", "a", "train", "", "A1"),
        ("round", "r1.tif", "b", "holdout", "", "A2"),
        ("long", "r1.tif", "c", "holdout", "", "A3"),
        ("long", "r1.tif", "d", "train", "", "A4"),
    ]
    folder.runs = BOTH
    folder.samples = header + "".join("\t".join(row) + "\n" for row in rows)
    folder.load()
    folder.samples = folder.samples.replace("A3", "A1")
    with pytest.raises(UserError, match=r"position A1 of the file r1\.tif is train"):
        folder.load()


def test_one_drawn_group_is_refused_while_planning(folder):
    own = [("long", "l1.tif", "", "train", ""), ("long", "l2.tif", "", "holdout", "")]
    with pytest.raises(UserError, match=r"dataset `round-64`: there is one group only, 'well'"):
        load(folder, ("round", "r*.tif", "well", "auto", ""), *own)


def test_a_share_of_nothing_is_refused_while_planning(folder):
    folder.config["datasets"]["round-64"]["split"] = {"holdout": 0}
    with pytest.raises(UserError, match="dataset `round-64`: no field has the role holdout"):
        folder.load()


# --- blank fields --------------------------------------------------------------------------------


def test_a_blank_field_exists_and_is_no_image_of_the_concept(folder):
    light = {"transmittance": "blank", "blank": "blank.tif"}
    folder.config["datasets"]["round-64"] |= light
    with pytest.raises(
        UserError, match=r"datasets\.round-64\.blank: there is no file .*blank\.tif"
    ):
        folder.load()
    (folder.root / "data" / "blank.tif").write_bytes(b"")
    assert folder.load().blanks == {"round-64": folder.root / "data" / "blank.tif"}
    folder.config["datasets"]["round-64"]["blank"] = "r1.tif"
    with pytest.raises(UserError, match=r"r1\.tif is an image of concept `round`"):
        folder.load()
