from __future__ import annotations

from pathlib import Path

import pytest

from pipeline_lib.settings.base import UserError
from pipeline_lib.training.publishing import place_order, publishing


def test_what_was_asked_for_last_is_given_out_whoever_ends_last(tmp_path: Path) -> None:
    output = tmp_path / "model"
    place_order(tmp_path / "orders", output, "old")
    place_order(tmp_path / "orders", output, "new")
    with publishing(tmp_path / "orders", output, "new", tmp_path):
        output.write_text("new")
    with (
        pytest.raises(UserError, match="asked for with other settings"),
        publishing(tmp_path / "orders", output, "old", tmp_path / "state"),
    ):
        output.write_text("old")
    assert output.read_text() == "new"


def test_the_old_settings_can_be_asked_for_again(tmp_path: Path) -> None:
    for key in ("old", "new", "old"):
        place_order(tmp_path / "orders", tmp_path / "model", key)
    with publishing(tmp_path / "orders", tmp_path / "model", "old", tmp_path):
        pass
