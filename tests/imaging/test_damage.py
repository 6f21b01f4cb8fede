"""What is wrong with a file is told; what is wrong with the program is not called damage."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import tifffile

from pipeline_lib.imaging import reading
from pipeline_lib.imaging.damage import refusing_damage
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.reading import ReadingSettings


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), ZeroDivisionError("x")])
def test_what_tifffile_raises_is_a_refusal(error):
    with pytest.raises(UserError, match=r"cannot be decoded \(\w+Error: .*x"), refusing_damage():
        raise error


@pytest.mark.parametrize("error", [KeyError, AttributeError, ValueError])
def test_a_fault_of_the_program_is_not_called_damage(tmp_path, monkeypatch, error):
    def broken(*_):
        raise error("ours")

    tifffile.imwrite(tmp_path / "a.tif", np.arange(600, dtype="uint16").reshape(20, 30))
    monkeypatch.setattr(reading, "mend_invalid", broken)
    with pytest.raises(error, match="ours"):
        reading.read_field(tmp_path / "a.tif", ReadingSettings())


def test_a_refusal_stays_what_it_was():
    with pytest.raises(UserError, match=r"^as it was$"), refusing_damage():
        raise UserError("as it was")


def test_warnings_that_tell_no_damage_are_passed_over_and_shown_nowhere(caplog):
    logger = logging.getLogger("tifffile")
    with refusing_damage():
        logger.warning("a tag of a kind that nobody knows")
    assert not caplog.records
    logger.warning("afterwards")
    assert [record.getMessage() for record in caplog.records] == ["afterwards"]


def test_errors_that_are_only_logged_are_refusals():
    with pytest.raises(UserError, match=r"damaged, truncated.*a tag raised"), refusing_damage():
        logging.getLogger("tifffile").error("a tag raised %s", "TypeError")
