"""Precision and device of a training, by accelerate."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from pipeline_lib.settings.base import UserError

if TYPE_CHECKING:
    from pathlib import Path

MIXED = {torch.float32: "no", torch.bfloat16: "bf16", torch.float16: "fp16"}


def make_accelerator(
    dtype: torch.dtype, device: torch.device, tensorboard: Path | None = None
) -> Accelerator:
    """Return what autocasts, scales losses and tracks figures of one training.

    Parameters
    ----------
    dtype : torch.dtype
        What the network computes in; its weights stay as they are.
    device : torch.device
        Where the model is.
    tensorboard : Path, optional
        Folder of TensorBoard's files; none are written without.

    Returns
    -------
    Accelerator
        With a gradient scaler where the precision is float16.

    Raises
    ------
    UserError
        If float16 is asked for on a processor, or TensorBoard's package is missing.
    """
    if dtype == torch.float16 and device.type == "cpu":
        raise UserError(
            "training.precision float16 is not trained in on a processor: set it to bfloat16 or "
            "float32."
        )
    if tensorboard is not None and find_spec("tensorboard") is None:
        raise UserError(
            "training.tensorboard needs the package tensorboard: "
            "`pip install 'brightbooth[tensorboard]'`, or set it to false."
        )
    # accelerate holds one precision a process: a second training needs a clean start.
    AcceleratorState._reset_state(reset_partial_state=True)
    return Accelerator(
        mixed_precision=MIXED[dtype],
        cpu=device.type == "cpu",
        log_with=None if tensorboard is None else "tensorboard",
        project_dir=tensorboard,
    )
