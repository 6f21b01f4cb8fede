"""The untrained network of a model from scratch, and how its weights are trained."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from diffusers.models.unets.unet_2d import UNet2DModel

from pipeline_lib.models.recipe.denoiser import BETAS, equal_shares, inner_matrices
from pipeline_lib.models.recipe.trainers import undecayed_names
from pipeline_lib.randomness import key_of
from pipeline_lib.settings.from_scratch import CHANNEL_UNIT, ScratchSettings
from pipeline_lib.training.objective import WeightGroup


def settings_to_network(
    settings: ScratchSettings, channels: int, side: int, labels: int
) -> UNet2DModel:
    """Build an untrained network.

    Parameters
    ----------
    settings : ScratchSettings
        Its size, and the seed of its weights.
    channels, side : int
        Of what is denoised.
    labels : int
        How many concepts are told apart; a single one needs no label.

    Returns
    -------
    UNet2DModel
        Residual blocks, the coarsest resolutions with attention.
    """
    resolutions = len(settings.channels)
    attends = [place >= resolutions - settings.attention for place in range(resolutions)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(key_of("from scratch", settings.seed, "weights") >> 1)
        return UNet2DModel(
            sample_size=side,
            in_channels=channels,
            out_channels=channels,
            block_out_channels=settings.channels,
            layers_per_block=settings.blocks,
            down_block_types=tuple("AttnDownBlock2D" if one else "DownBlock2D" for one in attends),
            up_block_types=tuple("AttnUpBlock2D" if one else "UpBlock2D" for one in attends[::-1]),
            attention_head_dim=CHANNEL_UNIT,
            norm_num_groups=CHANNEL_UNIT,
            add_attention=bool(settings.attention),
            num_class_embeds=labels if labels > 1 else None,
        )


def network_to_groups(unet: UNet2DModel, settings: ScratchSettings) -> Mapping[str, WeightGroup]:
    """Return the weights by what trains them.

    Parameters
    ----------
    unet : UNet2DModel
        In float32.
    settings : ScratchSettings
        Optimizer, rates and decay.

    Returns
    -------
    mapping of WeightGroup
        ``network``, and the shares of matrices and filters that Muon trains, if it does.
    """
    weights = {f"unet.{name}": weight for name, weight in unet.named_parameters()}
    if settings.optimizer != "muon":
        return {"network": _plain_group(weights, settings, settings.optimizer)}
    inner = inner_matrices(weights)
    outer = {name: weight for name, weight in weights.items() if name not in inner}
    decay = settings.weight_decay
    shares = equal_shares(inner, settings.accumulation)
    return {
        **{
            name: WeightGroup(share, settings.matrix_rate, "muon", decay)
            for name, share in shares.items()
            if share
        },
        "network": _plain_group(outer, settings, "adamw"),
    }


def _plain_group(weights: dict, settings: ScratchSettings, optimizer: str) -> WeightGroup:
    """Return weights that AdamW trains."""
    return WeightGroup(
        weights,
        settings.learning_rate,
        optimizer,
        settings.weight_decay,
        BETAS,
        undecayed_names(weights),
    )


def prepare_network(unet: UNet2DModel, settings: ScratchSettings) -> None:
    """Make a network ready to be trained: fast and sparing as the settings say.

    Parameters
    ----------
    unet : UNet2DModel
        On the training's device; changed in place.
    settings : ScratchSettings
        `gradient_checkpointing` and `compile`.
    """
    unet.requires_grad_(True).train()
    if settings.gradient_checkpointing:
        unet.enable_gradient_checkpointing()
    if unet.device.type == "cuda":
        unet.to(memory_format=torch.channels_last)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    if settings.compile:
        unet.compile(dynamic=False)
