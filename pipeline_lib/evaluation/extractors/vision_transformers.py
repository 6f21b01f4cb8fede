"""Vision transformers in the transformers layout, loaded whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline_lib.evaluation.extractors.preparation import GreyResize
from pipeline_lib.evaluation.extractors.weights import check_weights, folder_to_weights_file
from pipeline_lib.files import read_json
from pipeline_lib.settings.base import UserError


class ClassToken(torch.nn.Module):
    """A vision transformer's class token after its last norm."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return (B, D) features of (B, 3, size, size) normalised images."""
        return self.model(pixel_values=images).last_hidden_state[:, 0]


def load_checked_model(
    model_class: Any, folder: Path, model_type: str, sha256: str | None = None, **options: Any
) -> tuple[Any, str]:
    """Load a model of the transformers library from a folder, refusing what is not that model.

    Parameters
    ----------
    model_class : type
        Class of transformers to load it by.
    folder : Path
        With ``config.json`` and the weights in one file.
    model_type : str
        What ``config.json`` must call it.
    sha256 : str, optional
        What the SHA-256 of the weights' file must be.
    **options
        For the class's ``__init__``.

    Returns
    -------
    model : torch.nn.Module
        On the CPU, in float32.
    str
        SHA-256 of the weights' file.

    Raises
    ------
    UserError
        If the folder holds another kind of model, other weights, or not all of them.
    """
    from transformers.utils import logging as transformers_logging

    check_model_type(folder, model_type)
    found = check_weights(folder_to_weights_file(folder), sha256)
    transformers_logging.disable_progress_bar()
    # Half precision in a file would go on into the features: their type is the contract's.
    model, report = model_class.from_pretrained(
        folder,
        dtype=torch.float32,
        local_files_only=True,
        weights_only=True,
        output_loading_info=True,
        **options,
    )
    # Transformers only warns of these and draws them at random.
    lost = sorted(map(str, [*report["missing_keys"], *report["mismatched_keys"]]))
    if lost:
        raise UserError(
            f"{folder}: the weights lack {len(lost)} tensors of {model_class.__name__}, first "
            f"{lost[0]}; needed is the whole model"
        )
    return model, found


def check_model_type(folder: Path, model_type: str) -> None:
    """Refuse a folder whose ``config.json`` is missing or of another kind of model."""
    if not (folder / "config.json").is_file():
        raise UserError(
            f"{folder} has no config.json; needed is a model in the transformers layout "
            f"(`{model_type}`)"
        )
    found = read_json(folder / "config.json").get("model_type")
    if found != model_type:
        raise UserError(
            f"{folder} is a model of type `{found}` by its config.json, needed is "
            f"`{model_type}`; correct the extractor's family or its source"
        )


def check_normalisation(folder: Path, preparation: GreyResize) -> None:
    """Refuse a folder whose ``preprocessor_config.json``, if there, normalises otherwise.

    Models of one type are trained with different means; the weights do not show it.
    """
    path = folder / "preprocessor_config.json"
    stated = read_json(path) if path.is_file() else {}
    for key, needed in (("image_mean", preparation.mean), ("image_std", preparation.deviation)):
        found = stated.get(key, needed)
        if not np.allclose(found, needed, atol=1e-4):
            raise UserError(
                f"{path}: {key} is {found}, the family normalises with {list(needed)}; correct "
                "the extractor's family or its source"
            )
