from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from tests.decoder.planted import DecoderBench


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def decoder_benches(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], DecoderBench]:
    built: dict[str, DecoderBench] = {}

    def build(architecture: str) -> DecoderBench:
        if architecture not in built:
            folder = tmp_path_factory.mktemp(f"decoder-{architecture}")
            built[architecture] = DecoderBench(folder, architecture)
        return built[architecture]

    return build
