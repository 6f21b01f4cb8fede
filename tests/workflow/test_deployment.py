"""Other people's workflows use this one: as a module, and as snakedeploy writes it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline_lib.imaging.sources import path_to_source
from tests.workflow.workspace import ROOT, Workspace, environment

pytestmark = pytest.mark.deployment
FIELD = f"results/trial/fields/round/{path_to_source('round-train.tif')}.tif"
OTHER = """
configfile: "config.yaml"


shell.prefix("set -u; ")


module brightbooth:
    snakefile:
        "{snakefile}"
    config:
        config


use rule * from brightbooth as brightbooth_*


rule counted:
    input:
        "{field}",
    output:
        "counted.txt",
    shell:
        "wc -c < {{input}} > {{output}}"
"""


@pytest.fixture
def elsewhere(fresh: Workspace, tmp_path: Path) -> Workspace:
    """Return a workspace whose folder has nothing to do with the repository's."""
    return fresh.copied_to(tmp_path / "work")


def run(folder: Path, *command: str, **variables: str) -> str:
    """Run a command and return what it said; it must succeed."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment() | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize("snakefile", ["Snakefile", "workflow/Snakefile"])
def test_a_job_runs_where_the_workflow_is_a_module(elsewhere: Workspace, snakefile: str) -> None:
    text = OTHER.format(snakefile=ROOT / snakefile, field=FIELD)
    (elsewhere.folder / "Snakefile").write_text(text)
    run(elsewhere.folder, sys.executable, "-m", "snakemake", "--cores", "2", "counted")
    size = int((elsewhere.folder / "counted.txt").read_text())
    assert size == (elsewhere.folder / FIELD).stat().st_size


def test_a_module_sends_the_same_commands(elsewhere: Workspace) -> None:
    text = OTHER.format(snakefile=ROOT / "Snakefile", field=FIELD)
    (elsewhere.folder / "Snakefile").write_text(text)
    run(elsewhere.folder, sys.executable, "-m", "snakemake", "--cores", "2", "counted")
    planned = elsewhere.planned(FIELD)
    assert "ingest" not in planned


def test_snakedeploy_deploys_a_running_workflow(elsewhere: Workspace, tmp_path: Path) -> None:
    hosting = tmp_path / "hosting"
    publish(hosting / "example/brightbooth")
    settings = tmp_path / "gitconfig"
    settings.write_text(f'[url "{hosting.as_uri()}/"]\n\tinsteadOf = https://github.com/\n')
    variables = {
        "GIT_CONFIG_GLOBAL": str(settings),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "GIT_TERMINAL_PROMPT": "0",
    }
    deployed = tmp_path / "deployed"
    url = "https://github.com/example/brightbooth"
    snakedeploy = [str(Path(sys.executable).with_name("snakedeploy"))]
    run(tmp_path, *snakedeploy, "deploy-workflow", url, str(deployed), "--tag", "v0", **variables)
    shutil.copytree(elsewhere.folder, deployed, dirs_exist_ok=True)
    shutil.copy(elsewhere.folder / "config.yaml", deployed / "config/config.yaml")
    run(deployed, sys.executable, "-m", "snakemake", "--cores", "2", FIELD, **variables)
    assert (deployed / FIELD).exists()
    assert not (deployed / "pipeline_lib").exists()


def publish(folder: Path) -> None:
    """Make a repository of the files as they are now, tagged v0."""
    listed = subprocess.check_output(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, text=True
    )
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    author = ["-c", "user.name=a", "-c", "user.email=a@b"]
    run(folder, "git", "init", "--quiet")
    run(folder, "git", "add", "--all")
    run(folder, "git", *author, "commit", "--quiet", "--message", "all")
    run(folder, "git", "tag", "v0")
