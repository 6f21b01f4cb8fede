from __future__ import annotations

from pathlib import Path

import pytest

from pipeline_lib.dreambooth.captions import read_concept_captions
from pipeline_lib.imaging.tables import write_tiles
from pipeline_lib.imaging.tiling import Tile
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.trained_concepts import TrainedConcept
from tests.dreambooth.workbench import CONCEPT


def concept(name: str, template: str) -> TrainedConcept:
    return TrainedConcept(**CONCEPT | {"concept": name, "training_prompt": template})


def table(path: Path, captions: list[str]) -> Path:
    tiles = [Tile("a", 0, "g", 0, 0, 1.0, None, 1.0, caption) for caption in captions]
    write_tiles(path, tiles)
    return path


CONCEPTS = [
    concept("plain", "an image of {subject}"),
    concept("told", "{subject}, {caption}"),
    concept("other", "{caption} {subject}"),
]


def test_captions_are_read_for_concepts_that_take_them(tmp_path: Path) -> None:
    tables = [
        table(tmp_path / "told.tsv", ["day 2, dense", ""]),
        table(tmp_path / "other.tsv", ['said "so"\tthere']),
    ]
    found = read_concept_captions(CONCEPTS, tables)
    assert found == {"told": ("day 2, dense", ""), "other": ('said "so"\tthere',)}


def test_a_missing_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"told, other.*found 1 tables"):
        read_concept_captions(CONCEPTS, [table(tmp_path / "told.tsv", ["dense"])])


def test_without_captions_no_table_is_asked_for() -> None:
    assert read_concept_captions(CONCEPTS[:1], []) == {}
