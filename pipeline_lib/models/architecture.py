"""What kind of base model a folder in the diffusers layout holds, told from its files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline_lib.files import read_json
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.resolutions import channels_to_factor

Architecture = Literal["tiny", "sd15", "sd21", "sdxl"]
STABLE_DIFFUSION_LATENT_CHANNELS = 4
CONFIGURATIONS = {
    "unet": "unet/config.json",
    "vae": "vae/config.json",
    "scheduler": "scheduler/scheduler_config.json",
    "text_encoder": "text_encoder/config.json",
}


@dataclass(frozen=True)
class ModelDescription:
    """What the other stages must know of a base model before its weights are read."""

    architecture: Architecture
    prediction_type: str
    latent_channels: int
    downsampling: int
    zero_empty_prompt: bool
    scheduler_config: dict[str, Any]


def folder_to_description(folder: Path | str) -> ModelDescription:
    """Read what kind of model a folder holds.

    Parameters
    ----------
    folder : Path or str
        Folder in the diffusers layout.

    Returns
    -------
    ModelDescription
        Architecture, prediction type and shape of the latent space.

    Raises
    ------
    UserError
        If a configuration file is missing, or the files are of another kind of model.

    Notes
    -----
    SDXL has a second text encoder. Stable Diffusion 2 is 1's shape with linear projections in the
    UNet. A latent space that is not of 4 channels is no published Stable Diffusion: the project's
    own ``tiny`` shape.
    """
    root = Path(folder)
    configurations = {name: _configuration(root, file) for name, file in CONFIGURATIONS.items()}
    vae, scheduler = configurations["vae"], configurations["scheduler"]
    index = root / "model_index.json"
    return ModelDescription(
        architecture=_architecture(root, configurations["unet"]),
        prediction_type=scheduler.get("prediction_type", "epsilon"),
        latent_channels=vae["latent_channels"],
        downsampling=channels_to_factor(vae["block_out_channels"]),
        zero_empty_prompt=index.exists()
        and bool(read_json(index).get("force_zeros_for_empty_prompt", False)),
        scheduler_config=scheduler,
    )


def _configuration(root: Path, file: str) -> dict[str, Any]:
    """Return a part's configuration."""
    path = root / file
    if not path.is_file():
        raise UserError(
            f"{root} holds no {file}; a base model is a folder in the diffusers layout with "
            f"{', '.join(CONFIGURATIONS.values())}. A single .safetensors file is a base model of "
            "kind `single_file`"
        )
    return read_json(path)


def _architecture(root: Path, unet: dict[str, Any]) -> Architecture:
    """Tell the architecture."""
    if unet.get("_class_name", "UNet2DConditionModel") != "UNet2DConditionModel":
        raise UserError(
            f"{root}/unet is a {unet['_class_name']}; needed is a UNet2DConditionModel, as in "
            "Stable Diffusion 1.5, 2.1 and XL"
        )
    if (root / "text_encoder_2").is_dir():
        return "sdxl"
    if unet["in_channels"] != STABLE_DIFFUSION_LATENT_CHANNELS:
        return "tiny"
    return "sd21" if unet.get("use_linear_projection") else "sd15"
