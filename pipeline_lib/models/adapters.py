"""Low-rank adapters in a file, and their merging into the weights that they belong to (LoRA)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch

from pipeline_lib.settings.base import UserError

ADAPTER_FILE = "pytorch_lora_weights.safetensors"
DOWN, UP = ".lora_A.weight", ".lora_B.weight"


class Adapter(NamedTuple):
    """A low-rank update of one layer.

    Attributes
    ----------
    down : Tensor, shape (rank, inputs, ...)
        Weights of a layer of the same kind as the updated one, with `rank` outputs.
    up : Tensor, shape (outputs, rank, ...)
        Weights of a linear layer, or of a convolution of one pixel.
    """

    down: torch.Tensor
    up: torch.Tensor

    @property
    def rank(self) -> int:
        """Return the rank of the update."""
        return len(self.down)


Adapters = dict[str, dict[str, Adapter]]


def read_adapters(path: Path | str) -> Adapters:
    """Read adapters that are added as they are, by part of the pipeline and by layer.

    Parameters
    ----------
    path : Path or str
        File in diffusers' layout with peft's names, without alphas.

    Returns
    -------
    dict of dict of Adapter
        By ``unet``, ``text_encoder`` or ``text_encoder_2``, then by the layer's name.

    Raises
    ------
    UserError
        If there is no such file.
    """
    from safetensors.torch import load_file

    if not Path(path).is_file():
        raise UserError(f"{path} does not exist; train the run again, or copy the whole folder")
    tensors = load_file(path)
    found: Adapters = {}
    for name in (key.removesuffix(DOWN) for key in tensors if key.endswith(DOWN)):
        part, layer = name.split(".", 1)
        found.setdefault(part, {})[layer] = Adapter(tensors[name + DOWN], tensors[name + UP])
    return found


def adapter_to_update(adapter: Adapter) -> torch.Tensor:
    """Return what an adapter adds to a weight: the product B A (Hu et al., arXiv 2106.09685).

    Parameters
    ----------
    adapter : Adapter
        Of a linear layer, or of a convolution: there the second one mixes channels alone, so that
        the two are one convolution.

    Returns
    -------
    Tensor, shape (outputs, inputs, ...)
        In the shape of the weight.
    """
    product = adapter.up.flatten(1) @ adapter.down.flatten(1)
    return product.unflatten(1, adapter.down.shape[1:])


@torch.no_grad()
def merge_adapters(module: torch.nn.Module, adapters: Mapping[str, Adapter]) -> None:
    """Add adapters to the weights of their layers, in place.

    Parameters
    ----------
    module : Module
        UNet or text encoder; in float32, or small updates are rounded away.
    adapters : mapping
        By the layer's name; CLIP's may begin with ``text_model``, whether the module's do or not.
    """
    nested = hasattr(module, "text_model")
    for name, adapter in adapters.items():
        layer = name if nested else name.removeprefix("text_model.")
        weight = module.get_submodule(layer).weight
        weight += adapter_to_update(adapter).to(weight)
