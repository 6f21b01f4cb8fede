"""The rules and profiles parse, and what is generated from the settings is up to date."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline_lib.schemas import normalised, read_pins
from tests.workflow.workspace import ROOT, Workspace, environment


def run(*command: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def test_lint_is_clean(fresh: Workspace) -> None:
    command = fresh.command("--lint")[2:]
    done = run(*command, folder=fresh.folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Congratulations" in done.stdout + done.stderr


def test_snakefmt_is_clean() -> None:
    done = run("snakefmt", "--check", "--line-length", "100", "Snakefile", "rules", "workflow")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("profile", ["slurm", "local"])
def test_profiles_parse(fresh: Workspace, profile: str) -> None:
    planned = fresh.planned("--profile", str(ROOT / f"profiles/{profile}"))
    assert planned["finetune"] == 2


def test_a_wrong_configuration_ends_before_any_job(fresh: Workspace, tmp_path: Path) -> None:
    workspace = fresh.copied_to(tmp_path / "work")
    workspace.config["training"]["stepz"] = 5
    process = workspace.start()
    said, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "configuration: training.stepz" in said
    assert "Traceback" not in said
    assert not (workspace.folder / "results").exists()


def test_nouns_are_compared_only_where_others_are_named(fresh: Workspace, tmp_path: Path) -> None:
    workspace = fresh.copied_to(tmp_path / "work")
    said, _ = workspace.start("nouns", "--dry-run").communicate(timeout=60)
    assert "name some in `noun_candidates`" in said
    workspace.config["concepts"]["round"]["noun_candidates"] = ["bacteria"]
    planned = workspace.planned("nouns")
    assert planned["compare_nouns"] == planned["latents"] == 1
    assert "finetune" not in planned


def test_constraints_pin_what_is_installed() -> None:
    listed = run("pip", "list", "--format=freeze").stdout.splitlines()
    installed = {normalised(name): version for name, version in (row.split("==") for row in listed)}
    pins = read_pins(ROOT / "envs/constraints.txt")
    wrong = {
        name: (version, installed[name])
        for name, version in pins.items()
        if name in installed and installed[name].split("+")[0] != version
    }
    assert wrong == {}
