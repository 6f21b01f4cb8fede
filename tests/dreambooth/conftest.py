from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from tests.dreambooth.workbench import Workbench, build_workbench


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def workbenches(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Workbench]:
    built: dict[str, Workbench] = {}

    def build(architecture: str) -> Workbench:
        if architecture not in built:
            folder = tmp_path_factory.mktemp(architecture)
            built[architecture] = build_workbench(folder, architecture)
        return built[architecture]

    return build


@pytest.fixture(scope="session")
def bench(workbenches: Callable[[str], Workbench]) -> Workbench:
    return workbenches("tiny")
