from __future__ import annotations

from pathlib import Path

import pytest

from pipeline_lib.settings.base import UserError
from tests.study.folders import LONG, ROUND, SAMPLES, Folder


def test_globs_become_sources_without_hidden_files(folder: Folder) -> None:
    study = folder.load()
    assert [source.path.name for source in study.sources["round"].values()] == ["r1.tif", "r2.tif"]
    assert [region.role for region in study.regions["long"]] == ["train", "holdout"]
    assert {region.group for region in study.regions["round"]} == {"r1.tif", "r2.tif"}


def test_cells_of_the_sheet_overrule_the_concept(folder: Folder) -> None:
    folder.config["concepts"]["long"]["reading"] = {"channel": "oblique", "z": "middle"}
    folder.samples = SAMPLES + ROUND + LONG.replace("train\t\t", "train\t\t2")
    sources = {source.path.name: source for source in folder.load().sources["long"].values()}
    assert sources["l1.tif"].reading.channel == "2"
    assert sources["l2.tif"].reading.channel == "oblique"
    assert sources["l1.tif"].reading.z == "middle"


def test_an_image_in_several_files_is_one_source_whichever_is_named(folder: Folder) -> None:
    (folder.root / "data/l3.tif").write_bytes(b"")
    rows = "long\tl[13].tif\t\ttrain\t\t\nlong\tl2.tif\t\tholdout\t\t\n"
    folder.samples = SAMPLES + ROUND + rows
    study = folder.load(lambda paths: [Path(str(path).replace("l3", "l1")) for path in paths])
    found = [source.path.name for source in study.sources["long"].values()]
    assert found == ["l1.tif", "l2.tif"]


def test_positions_of_a_file_are_sources_of_their_own(folder: Folder) -> None:
    header = SAMPLES.replace("channel", "position")
    rows = ROUND + "".join(f"long\tl1.tif\t\ttrain\t\t{name}\n" for name in ("A1", "A2"))
    folder.samples = header + rows + "long\tl2.tif\t\tholdout\t\t\n"
    study = folder.load()
    positions = [source.reading.position for source in study.sources["long"].values()]
    assert positions == ["A1", "A2", None]
    assert len({region.group for region in study.regions["long"]}) == 2


def test_a_position_that_is_named_twice_is_refused(folder: Folder) -> None:
    header = SAMPLES.replace("channel", "position")
    folder.samples = header + ROUND + "long\tl1.tif\t\tauto\t\tA1\n" * 2
    with pytest.raises(UserError, match="named twice with overlapping regions"):
        folder.load()
