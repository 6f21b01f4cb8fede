"""Prompts that a base model cannot read end the workflow before its first job."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.workflow.workspace import RUNS, Workspace, only

REVISION = "0123456789abcdef0123456789abcdef01234567"
LONG = "an image of {subject}" + " and cells" * 12
HUB = {"kind": "hub", "repository": "lab/toy", "revision": REVISION, "size": 64}


@pytest.fixture
def planning(fresh: Workspace, tmp_path: Path) -> Workspace:
    """Return a workspace in which nothing has run."""
    return fresh.copied_to(tmp_path / "work")


def refused(workspace: Workspace) -> str:
    """Plan, which must fail without a traceback, and return what was said."""
    process = workspace.start("--dry-run")
    said, _ = process.communicate(timeout=120)
    assert process.returncode != 0, said
    assert "Traceback" not in said
    assert not (workspace.folder / "results").exists()
    return said


def test_a_prompt_that_is_too_long_is_refused_while_planning(planning: Workspace) -> None:
    planning.config["sampling"]["prompts"]["subject"]["template"] = LONG
    said = refused(planning)
    assert "configuration: sampling.prompts.subject.template (model `first`" in said
    assert "has 31 tokens, start and end included, of which `toy` reads 24" in said
    assert "shorten it by sampling.prompts.subject.template or concepts.round.noun" in said


@pytest.mark.parametrize(
    ("identifier", "message"),
    [
        ("zxqv", "identifier `zxqv` of concept long is not a single token"),
        ("bacteria", "identifier `bacteria` of concept long is a word of the prompts"),
    ],
)
def test_an_identifier_that_cannot_serve_is_refused_while_planning(
    planning: Workspace, identifier: str, message: str
) -> None:
    changed = RUNS.replace("long\tclass\tauto", f"long\tclass\t{identifier}")
    (planning.folder / "runs.tsv").write_text(changed)
    said = refused(planning)
    assert f"run `second`: {message}" in said
    assert "column of runs.tsv" in said


def test_a_model_of_the_hub_is_asked_as_soon_as_it_is_at_hand(
    planning: Workspace, toy: Path
) -> None:
    planning.bases["toy"] = HUB
    planning.config["priors"]["class"]["class_prompt"] = "cells " * 30
    said = planning.run("--dry-run", "--printshellcmds")
    (command,) = [line for line in said.splitlines() if "fetch.py" in line]
    assert "--prompts work/prompts/trial/toy.json" in command
    shutil.copytree(toy, planning.folder / f"work/base_models/lab--toy/{REVISION}")
    assert "configuration: priors.class.class_prompt: the prompt 'cells" in refused(planning)


def test_other_prompts_fetch_nothing_anew(workspace: Workspace) -> None:
    prompt = workspace.config["sampling"]["prompts"]["subject"]
    prompt["template"] = "a brightfield image of {subject}"
    planned = workspace.planned()
    assert {"fetch", "identifier", "prior", "finetune"}.isdisjoint(planned)
    assert planned["sample"] == 10


def test_pictures_at_once_make_nothing_anew_and_reach_the_jobs(workspace: Workspace) -> None:
    workspace.config["priors"]["class"]["batch_size"] = 3
    workspace.config["latents"] = {"batch_size": 5}
    workspace.config["sampling"]["sampler"]["batch_size"] = 7
    assert workspace.planned() == {}
    said = workspace.run("--dry-run", "--forceall", "--printshellcmds")
    for script, number in (("prior", 3), ("latents", 5), ("sample", 7)):
        commands = [line for line in said.splitlines() if f"scripts/{script}.py" in line]
        assert commands
        assert all(f"--batch-size {number} " in line for line in commands)


def test_another_precision_draws_anew(workspace: Workspace) -> None:
    workspace.config["sampling"]["sampler"]["precision"] = "float32"
    after = ["sample", "features_of_samples", "metrics", "release", "report", "study"]
    assert only(workspace.planned(), after)
