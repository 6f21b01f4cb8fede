"""Where a trained model says what it is."""

from __future__ import annotations

from pathlib import Path

TRAINED_CARD = "brightbooth.json"


def path_to_card(path: Path | str) -> Path:
    """Return the file that describes a model: of a folder, the card of the model trained in it."""
    return Path(path) / TRAINED_CARD if Path(path).is_dir() else Path(path)
