"""One part of a model, a network, from the disk into memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers.models.modeling_utils import ModelMixin


def read_part(kind: type, folder: Path | str, dtype: torch.dtype) -> Any:
    """Read a network from safetensors, frozen and in evaluation mode.

    Parameters
    ----------
    kind : type
        Its class, of diffusers or of transformers.
    folder : Path or str
        With its weights and its configuration.
    dtype : torch.dtype
        What its weights are read as.

    Returns
    -------
    Module
        Of that class, on the processor. Its configuration does not name the folder: it is written
        again with what is trained, and a path would be published and differ from place to place.
    """
    named = "torch_dtype" if issubclass(kind, ModelMixin) else "dtype"
    given = {"use_safetensors": True, "local_files_only": True, named: dtype}
    part = kind.from_pretrained(folder, **given)
    if isinstance(part, ModelMixin):
        part.register_to_config(_name_or_path="")  # transformers' own do not write it
    return part.eval().requires_grad_(False)
