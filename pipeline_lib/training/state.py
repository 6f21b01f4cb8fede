"""What a training's state folder holds, and how its end is recorded and given out.

``begun.json``, ``checkpoints/``, ``history.csv`` and ``previews/`` while it trains; ``model/`` and
``finished.json`` once it is done, when the checkpoints go. Later calls with the same key take the
final model from here.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pipeline_lib.files import (
    atomic_path,
    file_to_sha256,
    folder_to_sha256,
    read_json,
    write_json,
)
from pipeline_lib.imaging.contact_sheets import images_to_contact_sheet, write_png
from pipeline_lib.imaging.stacks import read_stack
from pipeline_lib.training.judgement import forget_scores

if TYPE_CHECKING:
    import torch

CHECKPOINTS, PREVIEWS, MODEL = "checkpoints", "previews", "model"
HISTORY, FINISHED, SHEET = "history.csv", "finished.json", "previews.png"
BEGUN, DESCRIPTION = "begun.json", "description.json"


def preview_path(folder: Path, step: int, concept: str) -> Path:
    """Return where the previews of a step and concept are kept; names sort by step."""
    return folder / PREVIEWS / f"step-{step:08d}-{concept}.tif"


def begun_with(folder: Path, dtype: torch.dtype) -> torch.dtype:
    """Return the precision that a training began with, wherever it goes on.

    Parameters
    ----------
    folder : Path
        State folder.
    dtype : torch.dtype
        What this machine would take; kept if the training begins.

    Returns
    -------
    torch.dtype
        The kept one: a training that changes its precision half-way is neither.
    """
    import torch

    if not (folder / BEGUN).exists():
        write_json(folder / BEGUN, {"precision": str(dtype).removeprefix("torch.")})
    return getattr(torch, read_json(folder / BEGUN)["precision"])


def made_with(folder: Path, device: torch.device) -> dict[str, str]:
    """Return on what, and in which precision, a training was made, for a model's card."""
    return {"device": str(device), **read_json(folder / BEGUN)}


def previews_to_sheet(folder: Path) -> npt.NDArray[np.uint8]:
    """Return all previews as one picture, a row a step and concept.

    Parameters
    ----------
    folder : Path
        State folder.

    Returns
    -------
    ndarray
        8-bit grey picture.
    """
    rows = []
    for file in sorted((folder / PREVIEWS).glob("step-*.tif")):
        _, step, concept = file.stem.split("-", 2)
        rows.append((f"step {int(step)}, {concept}", read_stack(file)))
    # Previews that fail leave none; the model does not want for them.
    rows = rows or [("previews", np.zeros((0, 1, 1), np.uint8))]
    columns = min(8, max(1, *(len(pictures) for _, pictures in rows)))
    return images_to_contact_sheet(rows, columns)


def write_previews_sheet(folder: Path, path: Path) -> None:
    """Write the picture of all previews of a state folder."""
    write_png(path, previews_to_sheet(folder))


def mark_finished(folder: Path) -> None:
    """Record the final model's hashes, then let the optimizer's state go.

    Parameters
    ----------
    folder : Path
        State folder in which ``model/`` is whole.
    """
    files = {**folder_to_sha256(folder / MODEL), HISTORY: file_to_sha256(folder / HISTORY)}
    write_json(folder / FINISHED, files)
    clear(folder)


def clear(folder: Path) -> None:
    """Let the checkpoints of a finished training go; a cut may have kept them.

    Parameters
    ----------
    folder : Path
        State folder of a finished training.
    """
    if (folder / CHECKPOINTS).exists():
        shutil.rmtree(folder / CHECKPOINTS)
    forget_scores(folder)


def is_finished(folder: Path) -> bool:
    """Return whether a state folder holds a finished training, whole and unchanged.

    Parameters
    ----------
    folder : Path
        State folder; need not exist.

    Returns
    -------
    bool
        False also where a file of the final model was changed.
    """
    if not (folder / FINISHED).exists():
        return False
    told = read_json(folder / FINISHED)
    history = folder / HISTORY
    found = folder_to_sha256(folder / MODEL)
    return history.exists() and {**found, HISTORY: file_to_sha256(history)} == told


def give_out(
    folder: Path, trained: Path, history: Path, previews: Path, finish: Callable[[Path], None]
) -> None:
    """Write a finished training's outputs; large files get a second name instead of a copy.

    Parameters
    ----------
    folder : Path
        State folder of a finished training.
    trained : Path
        Folder to make, with the model.
    history, previews : Path
        Files to write: the log and the picture of all previews.
    finish : callable
        Adds to the folder with the model, before it gets its name, what only this output needs.
    """
    with atomic_path(trained) as beside:
        shutil.copytree(folder / MODEL, beside, copy_function=_link_or_copy)
        finish(beside)
    with atomic_path(history) as beside:
        shutil.copyfile(folder / HISTORY, beside)
    write_previews_sheet(folder, previews)


def _link_or_copy(source: str, target: str) -> None:
    """Give a file a second name, or copy it where the file system cannot do that."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
