"""Lines of a configuration that wait for a person's decision."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

DECIDE = "DECIDE"


def text_to_open_lines(text: str) -> list[int]:
    """Return the numbers, from 1, of the lines whose comment leaves a decision open."""
    return [k for k, line in enumerate(text.splitlines(), 1) if f"# {DECIDE}:" in line]


def open_decisions(paths: Iterable[Path]) -> str | None:
    """Return words about the lines of files that are still marked, None without any.

    Parameters
    ----------
    paths : iterable of Path
        Configurations and sheets; files that are not there are passed over.
    """
    found = {
        path: text_to_open_lines(path.read_text(encoding="utf-8", errors="replace"))
        for path in paths
        if path.is_file()
    }
    places = [f"{path}:{number}" for path, numbers in found.items() for number in numbers]
    if not places:
        return None
    return (
        f"{', '.join(places)}: marked {DECIDE}; what stands there was guessed: look, correct it, "
        "and take the mark off"
    )
