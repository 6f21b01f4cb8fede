"""Adapters as files: in diffusers' layout, and in that of kohya, ComfyUI and AUTOMATIC1111.

Both hold alpha / rank multiplied in, so that every program takes them at their strength.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from pipeline_lib.models.adapters import DOWN, UP, Adapter, Adapters
from pipeline_lib.models.architecture import ModelDescription

if TYPE_CHECKING:
    from pipeline_lib.models.loading import BaseModel

KOHYA_DOWN, KOHYA_UP, KOHYA_ALPHA = ".lora_down.weight", ".lora_up.weight", ".alpha"
PREFIXES = {"unet": "lora_unet", "text_encoder": "lora_te"}
SDXL_PREFIXES = {
    "unet": "lora_unet",
    "text_encoder": "lora_te1",
    "text_encoder_2": "lora_te2",
}
# Of SDXL's residual blocks, in the code that it was published with (arXiv 2307.01952).
ORIGINAL_RESIDUAL = {
    "conv1": "in_layers.2",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
ORIGINAL_PLACE = {"resnets": 0, "attentions": 1, "upsamplers": 2}


def kohya_file_name(name: str) -> str:
    """Return the name of a run's file in kohya's layout, which programs list their files by."""
    return f"{name}_lora.safetensors"


def write_diffusers_file(adapters: Adapters, folder: Path, pipeline: str) -> None:
    """Write ``pytorch_lora_weights.safetensors``, by diffusers itself, with peft's names.

    Parameters
    ----------
    adapters : dict of dict of Adapter
        By part and layer.
    folder : Path
        Where to.
    pipeline : str
        diffusers' class that will read it.
    """
    import diffusers

    layers = {
        f"{part}_lora_layers": {
            f"{name}{ending}": tensor.contiguous()
            for name, adapter in named.items()
            for ending, tensor in ((DOWN, adapter.down), (UP, adapter.up))
        }
        for part, named in adapters.items()
    }
    getattr(diffusers, pipeline).save_lora_weights(folder, **layers)


def write_kohya_file(adapters: Adapters, path: Path, model: BaseModel, base: str) -> None:
    """Write adapters in kohya's layout.

    Parameters
    ----------
    adapters : dict of dict of Adapter
        By part and layer.
    path : Path
        File to write. It holds no name of its own, so that programs list it by the file's.
    model : BaseModel
        Stable Diffusion 1.5, 2.1 or XL.
    base : str
        Name of the base model.
    """
    from safetensors.torch import save_file

    rank = str(next(iter(next(iter(adapters.values())).values())).rank)
    metadata = {
        "ss_sd_model_name": base,
        "ss_network_dim": rank,
        "ss_network_alpha": rank,
        **base_version(model.description),
    }
    tensors = adapters_to_kohya(adapters, model)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata)
    _sort_metadata(path)


def _sort_metadata(path: Path) -> None:
    """Write the metadata of a safetensors file in the order of their names.

    The library writes them in another order every time: equal adapters would be other files.
    """
    with path.open("r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        if len(text) > length:
            raise RuntimeError(f"the header of {path} grew from {length} to {len(text)} bytes")
        file.seek(8)
        file.write(text.ljust(length))


def base_version(description: ModelDescription) -> dict[str, str]:
    """Return the metadata by which programs tell which base models a file in kohya's layout suits.

    Parameters
    ----------
    description : ModelDescription
        Of Stable Diffusion 1.5, 2.1 or XL.

    Returns
    -------
    dict of str
        What kohya's trainer writes.
    """
    if description.architecture == "sdxl":
        return {"ss_base_model_version": "sdxl_base_v1-0", "ss_v2": "False"}
    second = description.architecture == "sd21"
    ending = "_v" if description.prediction_type == "v_prediction" else ""
    return {
        "ss_base_model_version": f"sd_v{2 if second else 1}{ending}",
        "ss_v2": str(second),
    }


def adapters_to_kohya(adapters: Adapters, model: BaseModel) -> dict[str, torch.Tensor]:
    """Return adapters by kohya's names, with their alphas, which equal the ranks.

    Parameters
    ----------
    adapters : dict of dict of Adapter
        By part and layer, as diffusers names them.
    model : BaseModel
        SDXL's UNet has its original names in this layout, the other ones have diffusers'.

    Returns
    -------
    dict of Tensor
        ``lora_unet_..., lora_te_..., lora_te1_..., lora_te2_...``.
    """
    if model.architecture != "sdxl":
        return _named_by_kohya(adapters, PREFIXES)
    layers = model.unet.config.layers_per_block
    unet = {
        layer_to_original(name, layers): adapter
        for name, adapter in adapters.get("unet", {}).items()
    }
    return _named_by_kohya({**adapters, "unet": unet}, SDXL_PREFIXES)


def _named_by_kohya(adapters: Adapters, prefixes: dict[str, str]) -> dict[str, torch.Tensor]:
    """Return the tensors of adapters by kohya's names."""
    return {
        f"{prefixes[part]}_{layer.replace('.', '_')}{ending}": tensor
        for part, named in adapters.items()
        for layer, adapter in named.items()
        for ending, tensor in _kohya_tensors(adapter).items()
    }


def _kohya_tensors(adapter: Adapter) -> dict[str, torch.Tensor]:
    """Return the tensors that one layer has in kohya's layout, by the endings of their names."""
    alpha = torch.tensor(float(adapter.rank))
    return {KOHYA_DOWN: adapter.down, KOHYA_UP: adapter.up, KOHYA_ALPHA: alpha}


def layer_to_original(layer: str, layers_per_block: int) -> str:
    """Return the name that a layer of diffusers' SDXL UNet has in the original code.

    Parameters
    ----------
    layer : str
        A layer of a down, mid or up block.
    layers_per_block : int
        Residual blocks of a down block; an up block has one more.

    Returns
    -------
    str
        Its name below ``model.diffusion_model`` of the published checkpoint.

    Examples
    --------
    >>> layer_to_original("down_blocks.1.attentions.0.proj_in", 2)
    'input_blocks.4.1.proj_in'
    """
    side, rest = layer.split(".", 1)
    if side == "mid_block":
        kind, index, inner = rest.split(".", 2)
        place = 1 if kind == "attentions" else 2 * int(index)
        return f"middle_block.{place}.{_inner_to_original(kind, inner)}"
    block, kind, index, inner = rest.split(".", 3)
    first = int(block) * (layers_per_block + 1)
    if kind == "downsamplers":
        return f"input_blocks.{first + layers_per_block + 1}.0.op"
    within = layers_per_block if kind == "upsamplers" else int(index)
    inner = _inner_to_original(kind, inner)
    if side == "down_blocks":
        return f"input_blocks.{first + within + 1}.{ORIGINAL_PLACE[kind]}.{inner}"
    return f"output_blocks.{first + within}.{ORIGINAL_PLACE[kind]}.{inner}"


def _inner_to_original(kind: str, inner: str) -> str:
    """Return a layer's name within its block."""
    return ORIGINAL_RESIDUAL[inner] if kind == "resnets" else inner
