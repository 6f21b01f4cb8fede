"""Toy models with the true classes, trained for a few steps by LoRA."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

from pipeline_lib.dreambooth.lora import add_adapters
from pipeline_lib.files import folder_to_sha256, write_json
from pipeline_lib.models.conditioning import encode_prompts
from pipeline_lib.models.denoising import predict
from pipeline_lib.models.loading import BaseModel, load_model
from pipeline_lib.settings.training import TrainingSettings
from tests.toy_models import TOKENS_IN_PROMPT, Architecture, build_toy_model

SIZE = 32
PROMPTS = ["an image of zx cells", "an image of cells"]
STABLE_DIFFUSION = {
    "cross_attention_dim": 768,
}
STABLE_DIFFUSION_XL = {
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": (1, 2, 10),
    "attention_head_dim": (5, 10, 20),
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}


def write_base(folder: Path, architecture: Architecture) -> Path:
    """Build a toy base model and return its description."""
    base = build_toy_model(folder / "base", architecture)
    card = {"name": "toy", "folder": str(base), "files": folder_to_sha256(base)}
    write_json(folder / "base.json", card)
    return folder / "base.json"


def lora_settings(**own: Any) -> TrainingSettings:
    """Return settings of a small LoRA."""
    given = {"learning_rate": 1e-4, "text_encoder_learning_rate": 1e-4, "lora_rank": 4}
    return TrainingSettings(method="lora", **(given | own))


def real_unet(shape: dict[str, Any]) -> UNet2DConditionModel:
    """Return a UNet of a published size, without memory for its weights."""
    with torch.device("meta"):
        return UNet2DConditionModel(**shape)


def make_steps(model: BaseModel, parts: dict[str, Any], count: int = 2) -> None:
    """Make optimizer steps on random latents, through text encoders and UNet."""
    weights = [weight for part in parts.values() for weight in part.values()]
    optimizer = torch.optim.AdamW(weights, lr=0.02)
    for step in range(count):
        noisy, target = random_latents(model, 2 * step), random_latents(model, 2 * step + 1)
        embedding = encode_prompts(model, PROMPTS)
        prediction = predict(model, noisy, torch.tensor([100, 700]), embedding, SIZE)
        (prediction - target).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()


def trained_by_lora(base: Path, **own: Any) -> BaseModel:
    """Return a toy model after some steps of LoRA."""
    model = load_model(base, device="cpu")
    make_steps(model, add_adapters(model, lora_settings(**own)))
    return model


def random_latents(model: BaseModel, seed: int) -> torch.Tensor:
    """Return the latents of two pictures."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, *model.latent_shape(SIZE), generator=generator)


@torch.no_grad()
def outputs(model: BaseModel, parts: Any = None) -> list[torch.Tensor]:
    """Return what a UNet and text encoders answer; those of `parts`, a pipeline, if given."""
    unet = model.unet if parts is None else parts.unet
    encoders = model.text_encoders if parts is None else pipeline_to_encoders(parts)
    generator = torch.Generator().manual_seed(5)
    hidden = torch.randn(2, 6, unet.config.cross_attention_dim, generator=generator)
    added = None
    if model.architecture == "sdxl":
        pooled = model.text_encoders[1].config.projection_dim
        added = {
            "text_embeds": torch.randn(2, pooled, generator=generator),
            "time_ids": torch.full((2, 6), 32.0),
        }
    latents = random_latents(model, 9)
    times = torch.tensor([50, 600])
    tokens = torch.arange(2 * TOKENS_IN_PROMPT).reshape(2, -1)
    answer = unet(latents, times, hidden, added_cond_kwargs=added).sample
    texts = [one(tokens, output_hidden_states=True).hidden_states[-1] for one in encoders]
    return [answer, *texts]


def pipeline_to_encoders(pipeline: Any) -> list[torch.nn.Module]:
    """Return the text encoders of a pipeline of diffusers."""
    names = ("text_encoder", "text_encoder_2")
    return [getattr(pipeline, name) for name in names if getattr(pipeline, name, None) is not None]


def distances(some: list[torch.Tensor], others: list[torch.Tensor]) -> list[float]:
    """Return the largest difference of each pair of tensors, in parts of the largest value."""
    pairs = zip(some, others, strict=True)
    return [float((one - other).abs().max() / other.abs().max()) for one, other in pairs]
