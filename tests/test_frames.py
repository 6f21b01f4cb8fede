from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline_lib.frames import read_frame


def test_names_are_text_whatever_they_look_like(tmp_path: Path) -> None:
    path = tmp_path / "copies.tsv"
    path.write_text("concept\tkey\tindex\tflags\nnull\t0012\t3\t\n2024\tnan\t4\tx\n")
    frame = read_frame(path)
    assert frame["concept"].tolist() == ["null", "2024"]
    assert frame["key"].tolist() == ["0012", "nan"]
    assert frame["index"].tolist() == [3, 4]
    assert frame["flags"].tolist() == ["", "x"]


@pytest.mark.parametrize("cell", ["", "nan"])
def test_missing_numbers_stay_numbers(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "training.csv"
    path.write_text(f"step,loss\n1,{cell}\n2,0.5\n")
    frame = read_frame(path)
    assert np.isnan(frame["loss"][0]) and frame["loss"][1] == 0.5
