"""Programs that answer, fail, wait, or are not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline_lib.planning import programs
from pipeline_lib.planning.programs import command_to_text


def write_program(folder: Path, body: str) -> list[str]:
    path = folder / "program"
    path.write_text(body)
    path.chmod(0o755)
    return [str(path), "some words"]


def test_what_is_printed_comes_back(tmp_path: Path) -> None:
    command = write_program(tmp_path, '#!/bin/sh\necho "given $1"\n')
    assert command_to_text(command) == "given some words\n"


@pytest.mark.parametrize("body", ["#!/bin/sh\necho half\nexit 3\n", "#!/nowhere/at/all\n"])
def test_one_that_fails_says_nothing(tmp_path: Path, body: str) -> None:
    assert command_to_text(write_program(tmp_path, body)) is None


def test_one_that_does_not_answer_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "PATIENCE", 0.2)
    assert command_to_text(write_program(tmp_path, "#!/bin/sh\nexec sleep 60\n")) is None


def test_one_that_is_not_there_says_nothing(tmp_path: Path) -> None:
    assert command_to_text([str(tmp_path / "nothing")]) is None
