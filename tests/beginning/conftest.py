"""Three folders of pictures, laid once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.beginning.folders import lay_focal_stacks, lay_photographs, lay_time_lapse

LAYERS = {"stacks": lay_focal_stacks, "three": lay_photographs, "lapse": lay_time_lapse}


@pytest.fixture(scope="session")
def laid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the three folders in it."""
    root = tmp_path_factory.mktemp("laid")
    for name, lay in LAYERS.items():
        lay(root / name)
    return root
