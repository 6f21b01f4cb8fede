"""Whether a folder holds an upscaler that suits what is asked of it, told without torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline_lib.files import read_json
from pipeline_lib.models.tokenization import check_length, folder_to_readers
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.resolutions import FACTOR, channels_to_factor
from pipeline_lib.settings.superresolution import SuperresolutionSettings

COLOURS = 3
UNET_CONFIG, VAE_CONFIG = "unet/config.json", "vae/config.json"
LOW_SCHEDULE, SCHEDULE = (
    f"{name}/scheduler_config.json" for name in ("low_res_scheduler", "scheduler")
)
PARTS = (UNET_CONFIG, VAE_CONFIG, LOW_SCHEDULE, SCHEDULE, "text_encoder/config.json", "tokenizer")
WEIGHTS = {
    "unet": "diffusion_pytorch_model.safetensors",
    "vae": "diffusion_pytorch_model.safetensors",
    "text_encoder": "model.safetensors",
}
STEPS = 1000  # of diffusers' schedulers where a configuration leaves them out
SETTING = "superresolution.model"


def refuse_unfit_upscaler(
    root: Path, settings: SuperresolutionSettings, tile_sides: Mapping[str, int], words: set[str]
) -> None:
    """Refuse an upscaler that cannot be tuned to what a study asks for.

    Parameters
    ----------
    root : Path
        Its folder.
    settings : SuperresolutionSettings
        How it is tuned and draws.
    tile_sides : mapping
        Side in pixels of each dataset's tiles.
    words : set of str
        The prompts that it will read.

    Raises
    ------
    UserError
        If the folder lacks parts or holds another kind of model, crops or tiles cannot be halved as
        often as its UNet does, or it reads the beginning of a prompt alone.
    """
    refuse_other_kinds(root)
    multiple = FACTOR * folder_to_multiple(root)
    refuse_unfit_side(settings.drawing.tile, multiple, "superresolution.drawing.tile")
    for dataset, side in tile_sides.items():
        if side <= settings.tuning.crop:
            refuse_unfit_side(side, multiple, f"datasets.{dataset}.tiles.size")
        else:
            refuse_unfit_side(settings.tuning.crop, multiple, "superresolution.tuning.crop")
    for reader in folder_to_readers(root):
        for prompt in sorted(words):
            check_length(prompt, reader.count(prompt), reader.length, f"the upscaler in {root}")


def refuse_other_kinds(root: Path) -> None:
    """Refuse folders that lack a part, and UNets that are told no small picture or noise level."""
    lacking = [name for name in PARTS if not (root / name).exists()]
    lacking += [f"{one}/{name}" for one, name in WEIGHTS.items() if not _has(root / one, name)]
    if lacking:
        found = f"it lacks {', '.join(lacking)}" if root.is_dir() else "there is no such folder"
        raise UserError(
            f"{SETTING}: {root} is no upscaler: {found}; give a folder in the layout of diffusers' "
            "StableDiffusionUpscalePipeline"
        )
    unet, vae = read_json(root / UNET_CONFIG), read_json(root / VAE_CONFIG)
    wanted = vae["latent_channels"] + COLOURS
    if unet["in_channels"] != wanted or not unet.get("num_class_embeds"):
        raise UserError(
            f"{SETTING}: the UNet of {root} takes {unet['in_channels']} channels and "
            f"{unet.get('num_class_embeds') or 'no'} noise levels; an upscaler's takes {wanted} "
            "(latents beside three colours) and the level of the small picture's noise "
            "(num_class_embeds)"
        )
    factor = channels_to_factor(vae["block_out_channels"])
    if factor != FACTOR:
        raise UserError(
            f"{SETTING}: {root}/vae makes sides {factor} times smaller, an upscaler's {FACTOR} "
            "times; give the folder of an upscaler"
        )


def _has(folder: Path, weights: str) -> bool:
    """Tell whether a part has weights that no pickle is needed for, and no variant asked for."""
    return any((folder / name).exists() for name in (weights, f"{weights}.index.json"))


def folder_to_multiple(root: Path) -> int:
    """Return what the sides of latents are multiples of: the UNet halves them so often."""
    return channels_to_factor(read_json(root / UNET_CONFIG)["block_out_channels"])


def refuse_unfit_side(side: int, multiple: int, setting: str) -> None:
    """Refuse a side in pixels that the UNet cannot halve as often as it has resolutions."""
    if side % multiple:
        raise UserError(
            f"{setting}: {side} pixels do not suit the upscaler, whose UNet needs multiples of "
            f"{multiple}; set it to one"
        )


def folder_to_levels(root: Path) -> int:
    """Return how many noise levels of small pictures the UNet knows."""
    steps = read_json(root / LOW_SCHEDULE).get("num_train_timesteps", STEPS)
    known = min(steps, read_json(root / UNET_CONFIG)["num_class_embeds"])
    index = root / "model_index.json"
    stated = read_json(index).get("max_noise_level") if index.is_file() else None
    return known if stated is None else min(known, stated + 1)
