from __future__ import annotations

from pathlib import Path

import pytest

from pipeline_lib.settings.base import UserError
from pipeline_lib.study.superresolution import (
    dataset_to_upscaled,
    enlarged_sets,
    superresolution_stage,
    upsample_stage,
    upscaled_datasets,
    upscaler_stage,
)
from tests.study.folders import RUN, RUNS, Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path)
    folder.config["superresolution"] = {"model": "x4", "drawing": {"seed": 3}}
    return folder


def test_without_a_model_nothing_is_enlarged(folder: Folder) -> None:
    del folder.config["superresolution"]
    study = folder.load()
    assert upscaled_datasets(study) == [] and enlarged_sets(study) == []


def test_datasets_and_images_of_runs_are_enlarged(folder: Folder) -> None:
    folder.runs = RUNS + RUN + "second\ttoy\tlong-64\tclass\n"
    study = folder.load()
    assert upscaled_datasets(study) == ["round-64", "long-64"]
    found = {(one.model, one.folder) for one in enlarged_sets(study)}
    assert found == {("first", "round-64-subject"), ("second", "long-64-subject")}


def test_ways_differ_by_their_noise_alone(folder: Folder) -> None:
    study = folder.load()
    less, usual = (upscaler_stage(study, "round-64", way) for way in ("less", "usual"))
    assert less.prompt == "a brightfield microscopy image of cells"
    assert (less.augmentation, usual.augmentation) == (1e-5, 1e-3)
    assert less == usual.model_copy(update={"augmentation": 1e-5})
    drawn = upsample_stage(study, "first", "round-64-subject")
    assert (drawn.augmentation, drawn.prompt, drawn.drawing.seed) == (1e-5, less.prompt, 3)
    assert superresolution_stage(study, "round-64").usual_augmentation == 1e-3


def finer(folder: Folder, **changes: object) -> None:
    """Enlarge the images of tiles of 64 pixels by the upscaler of tiles four times as fine."""
    fine = {"concept": "round", "tiles": {"size": 128, "scale": 4.0}} | changes
    folder.config["datasets"]["round-fine"] = fine
    folder.config["superresolution"]["finer"] = {"round-64": "round-fine"}


def test_a_finer_dataset_takes_the_place_of_the_runs_own(folder: Folder) -> None:
    finer(folder)
    study = folder.load()
    assert upscaled_datasets(study) == ["round-fine"]
    assert dataset_to_upscaled(study.configuration, "round-64") == "round-fine"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"concept": "long"}, "differ in concept"),
        ({"split": {"seed": 7}}, "differ in split"),
        ({"intensity": {"low_percentile": 1}}, "differ in intensity"),
        ({"transmittance": "fit"}, "differ in transmittance"),
        ({"tiles": {"size": 128, "scale": 4.0, "rescale": True}}, "has `tiles: rescale`"),
        ({"tiles": {"size": 128, "scale": 2.0}}, "datasets.round-64.tiles.scale to 0.5"),
    ],
)
def test_datasets_that_cannot_enlarge_each_other_are_refused(
    folder: Folder, change: dict[str, object], said: str
) -> None:
    finer(folder, **change)
    with pytest.raises(UserError, match=said):
        folder.load()


def test_a_finer_dataset_that_is_not_there_is_refused(folder: Folder) -> None:
    folder.config["superresolution"]["finer"] = {"round-64": "nowhere"}
    with pytest.raises(UserError, match="nowhere"):
        folder.load()
