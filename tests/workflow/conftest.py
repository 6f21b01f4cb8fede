"""Workspaces: nothing run yet, everything run, and a copy for each test to change.

Where several processes run tests, the first that needs one of them makes it, and the others wait.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from tests.evaluation.extractors.toy_extractors import build_dinov2
from tests.toy_models import build_toy_model
from tests.workflow.workspace import FILES, RUNS, SAMPLES, Workspace, write_raw


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the temporary folder of all processes that run tests."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


def made_once(folder: Path, make: Callable[[Path], object]) -> Path:
    """Return a folder that one process makes for all."""
    done = folder.with_suffix(".done")
    with FileLock(folder.with_suffix(".lock")):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
            done.touch()
    return folder


@pytest.fixture(scope="session")
def toy(shared: Path) -> Path:
    """Return a toy base model."""
    return made_once(shared / "toy", lambda folder: build_toy_model(folder, "tiny"))


@pytest.fixture(scope="session")
def toy_extractor(shared: Path) -> Path:
    """Return a tiny random DINOv2."""
    return made_once(shared / "dinov2", build_dinov2)


@pytest.fixture(scope="session")
def fresh(shared: Path, toy: Path, toy_extractor: Path) -> Workspace:
    """Return a workspace in which nothing has run; tests copy it."""
    workspace = Workspace(shared / "fresh")
    workspace.bases["toy"]["path"] = str(toy)
    workspace.extractors["toy"]["path"] = str(toy_extractor)

    def write(folder: Path) -> None:
        (folder / "raw").mkdir(parents=True)
        for seed, name in enumerate(FILES):
            write_raw(folder / f"raw/{name}.tif", seed)
        (folder / "samples.tsv").write_text(SAMPLES)
        (folder / "runs.tsv").write_text(RUNS)
        workspace.write()

    made_once(workspace.folder, write)
    return workspace


@pytest.fixture(scope="session")
def finished(shared: Path, fresh: Workspace) -> Workspace:
    """Return a workspace in which the whole chain has run; tests copy it."""
    folder = made_once(shared / "finished", lambda folder: fresh.copied_to(folder).run())
    return fresh.at(folder)


@pytest.fixture
def workspace(finished: Workspace, tmp_path: Path) -> Workspace:
    """Return a copy of the finished workspace for one test to change."""
    return finished.copied_to(tmp_path / "work")
