"""A toy model written as one file in the layout of Stable Diffusion's original repository."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

UNET_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
UNET_ENDS = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
VAE_ATTENTION = {
    "group_norm": "norm",
    "to_q": "q",
    "to_k": "k",
    "to_v": "v",
    "to_out.0": "proj_out",
}
RESNETS_DOWN, RESNETS_UP = 1, 2


def write_original_layout(folder: Path, file: Path) -> None:
    """Write UNet, autoencoder and text encoder of a toy `sd15` model as one .safetensors file."""
    weights: dict[str, torch.Tensor] = {}
    parts: list[tuple[str, str, Callable[[str], str]]] = [
        ("unet/diffusion_pytorch_model", "model.diffusion_model.", _unet_name),
        ("vae/diffusion_pytorch_model", "first_stage_model.", _vae_name),
        ("text_encoder/model", "cond_stage_model.transformer.text_model.", _text_name),
    ]
    for path, prefix, rename in parts:
        for name, tensor in load_file(folder / f"{path}.safetensors").items():
            attention = path.startswith("vae") and "attentions" in name and "group_norm" not in name
            convolution = attention and name.endswith("weight")
            weights[prefix + rename(name)] = (
                tensor[:, :, None, None].contiguous() if convolution else tensor
            )
    save_file(weights, file)


def _text_name(name: str) -> str:
    """Return the original name: the same, below text_model."""
    return name.removeprefix("text_model.")


def _unet_name(name: str) -> str:
    """Return the original name of a weight of the UNet."""
    for new, old in UNET_ENDS.items():
        if name.startswith(f"{new}."):
            return name.replace(new, old, 1)
    side, number, kind, layer, rest = _split(name)
    if kind == "resnets":
        inner, parameter = rest.rsplit(".", 1)
        inside = f"{UNET_RESNET[inner]}.{parameter}"
        return f"{_unet_place(side, number, layer)}{'' if side == 'mid' else '.0'}.{inside}"
    if kind == "attentions":
        place = "middle_block.1" if side == "mid" else f"{_unet_place(side, number, layer)}.1"
        return f"{place}.{rest}"
    parameter = rest.rsplit(".", 1)[1]
    if side == "down":
        return f"input_blocks.{(number + 1) * (RESNETS_DOWN + 1)}.0.op.{parameter}"
    return f"output_blocks.{(number + 1) * RESNETS_UP - 1}.1.conv.{parameter}"


def _split(name: str) -> tuple[str, int, str, int, str]:
    """Split a name of a block's weight into side, number, kind of layer, its number, the rest."""
    found = re.fullmatch(r"(down|mid|up)_blocks?\.(?:(\d+)\.)?([a-z]+)\.(\d+)\.(.+)", name)
    side, number, kind, layer, rest = found.groups()
    return side, int(number or 0), kind, int(layer), rest


def _unet_place(side: str, number: int, layer: int) -> str:
    """Return where a layer of a block stands in the original's list."""
    if side == "mid":
        return f"middle_block.{2 * layer}"
    if side == "down":
        return f"input_blocks.{1 + number * (RESNETS_DOWN + 1) + layer}"
    return f"output_blocks.{number * RESNETS_UP + layer}"


def _vae_name(name: str) -> str:
    """Return the original name of a weight of the autoencoder."""
    name = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
    if "mid_block.attentions.0." in name:
        side, rest = name.split("mid_block.attentions.0.")
        inner, kind = rest.rsplit(".", 1)
        return f"{side}mid.attn_1.{VAE_ATTENTION[inner]}.{kind}"
    name = re.sub(r"down_blocks\.(\d)", r"down.\1", name)
    name = re.sub(r"up_blocks\.(\d)", lambda m: f"up.{3 - int(m[1])}", name)
    name = name.replace("downsamplers.0", "downsample").replace("upsamplers.0", "upsample")
    return name.replace("resnets", "block")
