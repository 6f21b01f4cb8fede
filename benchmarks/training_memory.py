"""The memory of a fine-tuning of Stable Diffusion 1.5, 2.1 and XL at their real size, computed.

A table; exit 1 where a bar is missed. Nothing is loaded: the published shapes are built without
values.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from bars import Figure, at_most, print_figures

from pipeline_lib.dreambooth.memory import folder_to_meta_model, training_memory
from pipeline_lib.settings.training import TrainingSettings

GB = 1e9
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
SHAPES: dict[str, tuple[dict[str, Any], tuple[dict[str, Any], ...], int]] = {
    "SD 1.5": (UNET_1, (CLIP_LARGE,), 512),
    "SD 2.1": (UNET_2, (CLIP_HUGE,), 768),
    "SDXL": (UNET_XL, (CLIP_LARGE, CLIP_GIANT), 1024),
}
MODES: dict[str, dict[str, Any]] = {
    "full": {},
    "full, checkpointing": {"gradient_checkpointing": True},
    "full, checkpointing, 8 bits": {"gradient_checkpointing": True, "optimizer": "adamw_8bit"},
    "UNet alone, checkpointing": {
        "gradient_checkpointing": True,
        "text_encoder_learning_rate": 0.0,
    },
    "LoRA": {"method": "lora", "learning_rate": 1e-4, "text_encoder_learning_rate": 0.0},
    "LoRA, checkpointing": {
        "method": "lora",
        "learning_rate": 1e-4,
        "text_encoder_learning_rate": 0.0,
        "gradient_checkpointing": True,
    },
}
BARS = {
    ("SD 1.5", "full, checkpointing"): 80,
    ("SD 2.1", "full, checkpointing"): 80,
    ("SDXL", "full, checkpointing, 8 bits"): 80,
    ("SDXL", "UNet alone, checkpointing"): 80,
    ("SDXL", "LoRA, checkpointing"): 24,
}


def main() -> int:
    """Compute, print, and say whether every bar is kept."""
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory() as folder:
        return print_figures(compute(Path(folder), arguments.batch))


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=1, help="subject images a step, and class's")
    return parser.parse_args()


def compute(folder: Path, batch: int) -> Iterator[Figure]:
    """Yield the gigabytes of every model and mode."""
    for name, (unet, encoders, size) in SHAPES.items():
        write_configurations(folder / name, unet, encoders)
        for mode, settings in MODES.items():
            whole = TrainingSettings(batch_size=batch, **settings)
            model = folder_to_meta_model(folder / name)
            memory = training_memory(model, whole, size, torch.bfloat16)
            parts = ", ".join(f"{part} {getattr(memory, part) / GB:.1f}" for part in memory._fields)
            what = f"{name}, {size} px, {mode}: GB"
            bar = BARS.get((name, mode))
            value = memory.total / GB
            yield at_most(what, value, bar) if bar else Figure(what, value)
            print(f"|   {parts}")


def write_configurations(
    folder: Path, unet: dict[str, Any], encoders: tuple[dict[str, Any], ...]
) -> None:
    """Write the configurations of a published model in the diffusers layout."""
    schedule = {"_class_name": "DDIMScheduler", "prediction_type": "epsilon"}
    channels = {"latent_channels": 4, "block_out_channels": [128, 256, 512, 512]}
    files = {
        "unet/config.json": {"in_channels": 4, "out_channels": 4, **unet},
        "vae/config.json": channels,
        "scheduler/scheduler_config.json": schedule,
    }
    for slot, encoder in zip(("", "_2"), encoders, strict=False):
        files[f"text_encoder{slot}/config.json"] = {"model_type": "clip_text_model", **encoder}
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))


if __name__ == "__main__":
    sys.exit(main())
