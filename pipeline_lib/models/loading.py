"""A base model or a trained one, from the disk into memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from transformers import CLIPTokenizer
from transformers.models.clip.modeling_clip import CLIPTextModel, CLIPTextModelWithProjection
from transformers.utils import logging as transformers_logging

from pipeline_lib.files import read_json
from pipeline_lib.models.adapters import (
    ADAPTER_FILE,
    Adapter,
    Adapters,
    merge_adapters,
    read_adapters,
)
from pipeline_lib.models.architecture import Architecture, ModelDescription, folder_to_description
from pipeline_lib.models.cards import TRAINED_CARD, path_to_card
from pipeline_lib.models.devices import default_device
from pipeline_lib.models.parts import read_part
from pipeline_lib.settings.base import Precision, UserError
from pipeline_lib.settings.resolutions import channels_to_factor

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True, eq=False)
class BaseModel:
    """The parts of a text-to-image model, without safety checker.

    Attributes
    ----------
    tokenizers, text_encoders : tuple
        One each, two each for SDXL.
    unet, vae : Module
        The denoiser, and the autoencoder (always float32: half precision costs grey levels).
    description : ModelDescription
        What its files say.
    folder : Path
        Where it lies, in the diffusers layout; of adapters, where their base model lies.
    card : dict
        The JSON file that it was loaded by: of the fetched base, or of the trained model.
    """

    tokenizers: tuple[CLIPTokenizer, ...]
    text_encoders: tuple[CLIPTextModel | CLIPTextModelWithProjection, ...]
    unet: UNet2DConditionModel
    vae: AutoencoderKL
    description: ModelDescription
    folder: Path
    card: dict[str, Any]

    @property
    def architecture(self) -> Architecture:
        """Return "tiny", "sd15", "sd21" or "sdxl"."""
        return self.description.architecture

    @property
    def scheduler_config(self) -> dict[str, Any]:
        """Return the configuration of the noise schedule that the model was trained with."""
        return self.description.scheduler_config

    @property
    def device(self) -> torch.device:
        """Return where the UNet is."""
        return self.unet.device

    @property
    def precision(self) -> str:
        """Return what the UNet computes in, as `settings.Precision` names it."""
        return str(self.unet.dtype).removeprefix("torch.")

    def latent_shape(self, size: int) -> tuple[int, int, int]:
        """Return channels, height and width of the latents of a picture of `size` pixels a side.

        Raises
        ------
        UserError
            If the size does not suit the UNet.
        """
        side = size // self.description.downsampling
        halvings = channels_to_factor(self.unet.config.block_out_channels)
        if size % (self.description.downsampling * halvings):
            raise UserError(
                f"a size of {size} pixels does not suit {self.folder}: its pictures need sides "
                f"that are multiples of {self.description.downsampling * halvings}; set `size` of "
                "the tiles and of the prior so"
            )
        return self.description.latent_channels, side, side


def load_model(
    path: Path | str,
    precision: Precision = "float32",
    device: torch.device | str | None = None,
    base: Path | str | None = None,
) -> BaseModel:
    """Load a model, frozen and in evaluation mode.

    Adapters (LoRA) are merged into the weights, so that the model is as fast as its base.

    Parameters
    ----------
    path : Path or str
        The .json file that `fetch` wrote, or the folder of a trained model.
    precision : {"float32", "bfloat16", "float16", "auto"}
        Of UNet and text encoders. Training keeps float32 here and uses autocast.
    device : device or str, optional
        Default: the first GPU, else the CPU.
    base : Path or str, optional
        The .json file that `fetch` wrote for the base model of adapters. Other models need none.

    Returns
    -------
    BaseModel
        Its parts.

    Raises
    ------
    UserError
        If the folder is missing or incomplete, or the base model of adapters is missing or another
        than they were trained on.
    """
    path = path_to_card(path)
    card = read_json(path)
    folder = path.parent if path.name == TRAINED_CARD else Path(card["folder"])
    adapters: Adapters = {}
    if card.get("method") == "lora":
        adapters = read_adapters(folder / ADAPTER_FILE)
        folder = _base_folder(path, card, base)
    description = folder_to_description(folder)
    place = torch.device(device or default_device())
    dtype = precision_to_dtype(precision, place)
    transformers_logging.disable_progress_bar()
    slots = ["", "_2"] if description.architecture == "sdxl" else [""]
    return BaseModel(
        tokenizers=tuple(
            CLIPTokenizer.from_pretrained(folder / f"tokenizer{slot}") for slot in slots
        ),
        text_encoders=tuple(
            _part(
                CLIPTextModelWithProjection if slot else CLIPTextModel,  # SDXL's second projects
                folder / f"text_encoder{slot}",
                dtype,
                place,
                adapters.get(f"text_encoder{slot}"),
            )
            for slot in slots
        ),
        unet=_part(UNet2DConditionModel, folder / "unet", dtype, place, adapters.get("unet")),
        vae=_part(AutoencoderKL, folder / "vae", torch.float32, place),
        description=description,
        folder=folder,
        card=card,
    )


def ready_to_draw(model: BaseModel) -> BaseModel:
    """Lay weights out as convolutions read them fastest, channels last; return the same model.

    Pictures change by rounding alone. Not for models that are saved: the files' layout is another.
    """
    for part in (model.unet, model.vae):
        part.to(memory_format=torch.channels_last)
    return model


def precision_to_dtype(precision: Precision, device: torch.device | str) -> torch.dtype:
    """Return the type that a precision means on a device.

    Parameters
    ----------
    precision : {"float32", "bfloat16", "float16", "auto"}
        ``auto`` is bfloat16 where the device has it natively, else float16 on GPUs and float32
        on processors.
    device : device or str
        Where the model will be.

    Returns
    -------
    torch.dtype
        The type.
    """
    if precision != "auto":
        return DTYPES[precision]
    if torch.device(device).type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(False) else torch.float16
    abilities = torch.cpu.get_capabilities()
    native = abilities.get("avx512_bf16") or abilities.get("amx_bf16")
    return torch.bfloat16 if native else torch.float32


def _base_folder(path: Path | str, card: dict[str, Any], base: Path | str | None) -> Path:
    """Return the folder of the base model of adapters, if it is the one they were trained on."""
    name = card["base"]
    if base is None:
        raise UserError(
            f"{path} describes a LoRA, which is added to its base model `{name}`: name that, too "
            f"(--base results/PROJECT/base_models/{name}.json)"
        )
    found = read_json(base)
    if found["files"] != card["provenance"]["inputs"]["model"]:
        raise UserError(
            f"{path} describes a LoRA that was trained on the base model `{name}`, and {base} "
            f"describes `{found['name']}` with other files; give the description of that base "
            "model (--base), or train the run again on this one"
        )
    return Path(found["folder"])


def _part(
    kind: type,
    folder: Path,
    dtype: torch.dtype,
    device: torch.device,
    adapters: Mapping[str, Adapter] | None = None,
) -> Any:
    """Load one part from safetensors, never from a pickle; merge adapters before it is rounded."""
    if not list(folder.glob("*.safetensors")):
        raise UserError(
            f"{folder} holds no .safetensors file; pickled weights (.bin, .ckpt) are not loaded "
            "because they can run code. Convert the model with safetensors first"
        )
    part = read_part(kind, folder, torch.float32 if adapters else dtype).to(device)
    if adapters:
        merge_adapters(part, adapters)
        torch.nn.Module.to(part, dtype)  # diffusers' own warns of modules that UNets do not have
    return part
