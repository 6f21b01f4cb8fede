"""Programs of the machine that planning asks, where it has them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence

PATIENCE = 20.0  # seconds; one that waits for what is down keeps nobody from planning


def command_to_text(command: Sequence[str]) -> str | None:
    """Return what a program prints; None where there is none, or it fails or does not answer.

    Parameters
    ----------
    command : sequence of str
        The program's name and its arguments.
    """
    if shutil.which(command[0]) is None:
        return None
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, check=True
        ).stdout
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError, OSError):
        return None
