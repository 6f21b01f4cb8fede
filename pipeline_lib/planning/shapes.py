"""Shapes of the published models, for what is reckoned before a model is there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pipeline_lib.files import write_json

CLIP_LARGE = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "projection_dim": 768,
}
CLIP_HUGE = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 23,
    "num_attention_heads": 16,
    "projection_dim": 1024,
}
CLIP_GIANT = {
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 20,
    "projection_dim": 1280,
}
UNET_1 = {"cross_attention_dim": 768, "attention_head_dim": 8, "sample_size": 64}
UNET_2 = {
    "cross_attention_dim": 1024,
    "attention_head_dim": [5, 10, 20, 20],
    "use_linear_projection": True,
    "sample_size": 96,
}
UNET_XL = {
    "block_out_channels": [320, 640, 1280],
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
    "transformer_layers_per_block": [1, 2, 10],
    "attention_head_dim": [5, 10, 20],
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
    "sample_size": 128,
}
AUTOENCODER = {
    "latent_channels": 4,
    "block_out_channels": [128, 256, 512, 512],
    "layers_per_block": 2,
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
}


class Shape(NamedTuple):
    """Configurations of a published model.

    Attributes
    ----------
    name : str
        As people call it.
    unet : mapping
        What differs from diffusers' defaults.
    encoders : tuple of mapping
        Of its text encoders.
    size : int
        Side in pixels of the pictures that it was trained on.
    """

    name: str
    unet: Mapping[str, Any]
    encoders: tuple[Mapping[str, Any], ...]
    size: int


PUBLISHED = (
    Shape("SD 1.5", UNET_1, (CLIP_LARGE,), 512),
    Shape("SD 2.1", UNET_2, (CLIP_HUGE,), 768),
    Shape("SDXL", UNET_XL, (CLIP_LARGE, CLIP_GIANT), 1024),
)


def size_to_shape(size: int) -> Shape:
    """Return the published model whose pictures are nearest in size."""
    return min(PUBLISHED, key=lambda shape: abs(shape.size - size))


def write_configurations(folder: Path, shape: Shape) -> None:
    """Write the configurations of a published model in the diffusers layout, without weights."""
    files = {
        "unet/config.json": {"in_channels": 4, "out_channels": 4, **shape.unet},
        "vae/config.json": AUTOENCODER,
        "scheduler/scheduler_config.json": {
            "_class_name": "DDIMScheduler",
            "prediction_type": "epsilon",
        },
    }
    for slot, encoder in zip(("", "_2"), shape.encoders, strict=False):
        files[f"text_encoder{slot}/config.json"] = {"model_type": "clip_text_model", **encoder}
    for name, content in files.items():
        write_json(folder / name, content)
