from __future__ import annotations

import pytest
import torch

from tests.from_scratch.workbench import ScratchBench, build_bench


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> ScratchBench:
    return build_bench(tmp_path_factory.mktemp("scratch"))
