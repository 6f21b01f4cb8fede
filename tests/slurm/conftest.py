"""A SLURM, and workspaces that are ready to train on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm.cluster import Cluster, missing_programs
from tests.slurm.workspace import SlurmWorkspace, model_sha256
from tests.workflow.conftest import fresh, shared, toy, toy_extractor  # noqa: F401
from tests.workflow.workspace import Workspace

LONGER = {"steps": 60, "checkpoint_every": 10, "preview_every": 60, "judge_by": None}
INSTALL = "apt-get install slurmctld slurmd slurm-client munge, or what your system calls them"


@pytest.fixture(scope="session")
def installed() -> None:
    """Skip what needs SLURM where it is not installed."""
    missing = missing_programs()
    if missing:
        pytest.skip(f"SLURM is not installed here, without {', '.join(missing)}: {INSTALL}")


@pytest.fixture(scope="session")
def cluster(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Return a running SLURM."""
    with Cluster(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def prepared(
    installed: None,
    tmp_path_factory: pytest.TempPathFactory,
    fresh: Workspace,  # noqa: F811
) -> Workspace:
    """Return a workspace with all that the trainings need, made on this machine."""
    workspace = fresh.copied_to(tmp_path_factory.mktemp("prepared") / "work")
    workspace.config["training"] |= LONGER
    workspace.run("--until", "identifier", "prior", "latents")
    return workspace


@pytest.fixture(scope="session")
def unbroken(tmp_path_factory: pytest.TempPathFactory, prepared: Workspace) -> dict[str, str]:
    """Return the hashes of the models that trainings without any interruption make."""
    workspace = prepared.copied_to(tmp_path_factory.mktemp("unbroken") / "work")
    workspace.config = prepared.config
    workspace.run("--set-threads", "finetune=2", "--until", "finetune")
    return {run: model_sha256(workspace.path(f"runs/{run}/model")) for run in ("first", "second")}


@pytest.fixture
def workspace(cluster: Cluster, prepared: Workspace, tmp_path: Path) -> SlurmWorkspace:
    """Return a copy of the prepared workspace whose jobs go to the cluster."""
    return SlurmWorkspace.of(prepared.copied_to(tmp_path / "work"), prepared, cluster)


@pytest.fixture
def raw(cluster: Cluster, fresh: Workspace, tmp_path: Path) -> SlurmWorkspace:  # noqa: F811
    """Return a workspace in which nothing has run, whose jobs go to the cluster."""
    return SlurmWorkspace.of(fresh.copied_to(tmp_path / "work"), fresh, cluster)
