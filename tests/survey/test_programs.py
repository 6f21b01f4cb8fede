"""The programs: a survey is made, answered and scored."""

from __future__ import annotations

import argparse
import json
import runpy
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.survey import SurveyStage
from pipeline_lib.survey.keys import text_to_key
from tests.evaluation.shards import draw_fields, write_shard, write_tiles
from tests.survey.small_survey import answer, answers_to_cells, cells_to_text

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {"run": "trial", "concept": "cells", "survey": {"trials": 10}}


def run_program(*arguments):
    return subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=ROOT, env={"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def make(folder, settings=SETTINGS, **changes):
    """Do the work of scripts/survey.py in this process."""
    paths = {
        "tiles": folder / "holdout.tif",
        "table": folder / "holdout.tsv",
        "shards": sorted(folder.glob("shard-*.zip")),
        "page": folder / "survey.html",
        "key": folder / "survey_key.json",
    }
    script = runpy.run_path(str(ROOT / "scripts/survey.py"), run_name="survey")
    script["survey"](SurveyStage.model_validate(settings), argparse.Namespace(**(paths | changes)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Tiles of six fields and shards of two concepts, one image blank."""
    folder = tmp_path_factory.mktemp("survey")
    write_tiles(folder, "holdout", draw_fields(1, 12, 64), list("gghhiijjkkll"))
    write_shard(folder / "shard-0.zip", draw_fields(2, 8, 64), bad=[3])
    write_shard(folder / "shard-1.zip", draw_fields(3, 8, 64), first=8)
    write_shard(folder / "shard-other.zip", draw_fields(4, 8, 32), "other")
    make(folder)
    return folder


@pytest.fixture(scope="module")
def key(folder):
    return text_to_key((folder / "survey_key.json").read_text(), "survey_key.json")


@pytest.fixture
def answers(folder, key):
    """Answers of two raters as files."""
    files = []
    for rater, right in (("Anna", [True] * 9 + [False]), ("Bert", [True, False] * 5)):
        files.append(folder / f"{rater}.csv")
        rows = answers_to_cells(answer(key, rater, right), key)
        files[-1].write_text(cells_to_text(rows), encoding="utf-8-sig", newline="")
    return files


def test_a_survey_shows_usable_images_of_its_concept(key):
    assert len(key.trials) == 10
    assert {trial.source for trial in key.trials} == set("ghijkl")
    names = {trial.synthetic[0] for trial in key.trials}
    assert len(names) == 10
    assert names <= {f"cells/cells-64-subject/{i:06d}" for i in range(16) if i != 3}


def test_the_same_images_give_the_same_survey(folder, key, tmp_path):
    make(folder, page=tmp_path / "again.html", key=tmp_path / "again.json")
    for name, first in (("again.html", "survey.html"), ("again.json", "survey_key.json")):
        assert (tmp_path / name).read_bytes() == (folder / first).read_bytes()
    make(folder, SETTINGS | {"survey": {"trials": 10, "seed": 1}}, page=tmp_path / "other.html",
         key=tmp_path / "other.json")  # fmt: skip
    assert key.survey not in (tmp_path / "other.html").read_text()


def test_common_ground_is_found_in_the_table(key):
    # All tiles of the table lie at the same place of their field.
    assert any("show ground that another one shows too" in note for note in key.notes)


def test_wrong_inputs_are_refused(folder):
    with pytest.raises(UserError, match="--shards needs at least one"):
        make(folder, shards=[])
    with pytest.raises(UserError, match="found 12 held-out tiles and 0 usable"):
        make(folder, SETTINGS | {"concept": "absent"})
    with pytest.raises(UserError, match="64x64 pixels, synthetic images 32x32"):
        make(folder, SETTINGS | {"concept": "other"})


def test_the_program_is_called_as_the_others(folder, tmp_path):
    done = run_program(
        *("scripts/survey.py", "--settings", json.dumps(SETTINGS | {"trials": 3})),
        *("--tiles", folder / "holdout.tif", "--table", folder / "holdout.tsv"),
        *("--shards", folder / "shard-0.zip", "--page", tmp_path / "a", "--key", tmp_path / "b"),
    )
    assert done.returncode == 2
    assert "--settings: trials: " in done.stderr


def test_answers_are_scored_printed_and_written(folder, answers, tmp_path):
    done = run_program(
        *("scripts/score_survey.py", *answers, "--key", folder / "survey_key.json"),
        *("--scores", tmp_path / "scores.json", "--table", tmp_path / "scores.csv"),
    )
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "scores.csv").set_index("rater")
    assert table["correct"].to_dict() == {"Anna": 9, "Bert": 5, "(all)": 14}
    record = json.loads((tmp_path / "scores.json").read_text())
    assert record["agreement"]["trials"] == 10
    assert record["agreement"]["observed"] == pytest.approx(0.6)
    assert record["fields"]["fields"] == 6
    lines = done.stdout.splitlines()
    assert lines[2].split()[:3] == ["rater", "right", "accuracy"]
    assert lines[3].split()[:3] == ["Anna", "9/10", "90.0%"]
    assert lines[5].split()[:3] == ["(all)", "14/20", "70.0%"]


def test_a_refusal_is_words_and_writes_nothing(folder, answers, tmp_path, monkeypatch, capsys):
    def said(*files, key=folder / "survey_key.json"):
        words = ["score_survey.py", *files, "--key", key, "--table", tmp_path / "t.csv"]
        monkeypatch.setattr(sys, "argv", [str(word) for word in words])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(ROOT / "scripts/score_survey.py"), run_name="__main__")
        assert end.value.code == 2
        assert not (tmp_path / "t.csv").exists()
        printed = capsys.readouterr()
        assert printed.out == ""
        return printed.err

    assert "a second time" in said(answers[0], answers[0])
    assert "no file" in said(tmp_path / "absent.csv")
    assert "no JSON" in said(answers[0], key=answers[0])
