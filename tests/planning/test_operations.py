"""Operations counted on shapes against figures of the literature and of layers."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline_lib.planning.operations import folder_to_operations
from pipeline_lib.planning.shapes import PUBLISHED, size_to_shape, write_configurations
from tests.toy_models import build_toy_model


def test_stable_diffusion_takes_what_is_known_of_it(tmp_path: Path) -> None:
    write_configurations(tmp_path / "sd", PUBLISHED[0])
    operations = folder_to_operations(tmp_path / "sd", 512)
    assert operations.unet == pytest.approx(2 * 402e9, rel=0.02)  # 402 G multiplications
    assert operations.decoder > operations.unet  # a picture's whole side in every layer


def test_a_larger_picture_takes_more(tmp_path: Path) -> None:
    folder = build_toy_model(tmp_path / "toy", "tiny")
    small, large = (folder_to_operations(folder, size) for size in (64, 128))
    assert large.text == small.text
    assert large.decoder == pytest.approx(4 * small.decoder, rel=0.2)
    assert 3 < large.unet / small.unet < 16


def test_a_size_tells_the_published_model() -> None:
    assert [size_to_shape(size).name for size in (256, 512, 768, 1024, 2048)] == [
        *("SD 1.5", "SD 1.5", "SD 2.1", "SDXL", "SDXL")
    ]
