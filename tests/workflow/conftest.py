"""Workspaces: nothing run yet, everything run, and a copy for each test to change."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.evaluation.extractors.toy_extractors import build_dinov2
from tests.toy_models import build_toy_model
from tests.workflow.workspace import FILES, RUNS, SAMPLES, Workspace, write_raw


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a toy base model."""
    return build_toy_model(tmp_path_factory.mktemp("toy") / "model", "tiny")


@pytest.fixture(scope="session")
def toy_extractor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tiny random DINOv2."""
    folder = tmp_path_factory.mktemp("extractor") / "dinov2"
    build_dinov2(folder)
    return folder


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory, toy: Path, toy_extractor: Path) -> Workspace:
    """Return a workspace in which nothing has run; tests copy it."""
    workspace = Workspace(tmp_path_factory.mktemp("fresh"))
    workspace.bases["toy"]["path"] = str(toy)
    workspace.extractors["toy"]["path"] = str(toy_extractor)
    (workspace.folder / "raw").mkdir()
    for seed, name in enumerate(FILES):
        write_raw(workspace.folder / f"raw/{name}.tif", seed)
    (workspace.folder / "samples.tsv").write_text(SAMPLES)
    (workspace.folder / "runs.tsv").write_text(RUNS)
    workspace.write()
    return workspace


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, fresh: Workspace) -> Workspace:
    """Return a workspace in which the whole chain has run; tests copy it."""
    workspace = fresh.copied_to(tmp_path_factory.mktemp("finished") / "work")
    workspace.run()
    return workspace


@pytest.fixture
def workspace(finished: Workspace, tmp_path: Path) -> Workspace:
    """Return a copy of the finished workspace for one test to change."""
    return finished.copied_to(tmp_path / "work")
