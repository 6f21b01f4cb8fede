"""The plain pipelines of diffusers, as the reference."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any


@cache
def plain_pipeline(folder: Path) -> Any:
    """Load a folder as a user of diffusers would."""
    from diffusers import DiffusionPipeline

    pipeline = DiffusionPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline
