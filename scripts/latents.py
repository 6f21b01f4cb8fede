"""Encode a dataset's tiles once: mean and deviation of every valid view, and the VAE's own cost.

What comes back of training tiles tells how much of the camera's noise the VAE loses, what comes
back of held-out ones what it costs.
"""

from __future__ import annotations

import argparse
import json

from pipeline_lib.command_line import run_stage
from pipeline_lib.files import atomic_path, file_to_sha256, provenance, value_to_sha256, write_json
from pipeline_lib.imaging.choices import even_choice
from pipeline_lib.imaging.stacks import read_stack, write_stack
from pipeline_lib.imaging.views import View, modality_to_views
from pipeline_lib.settings.latents import LatentsStage
from pipeline_lib.versions import RESULT_VERSION

MEASURED_TILES = 256

PATHS = {
    "model": "the base model (.json)",
    "train": "tiles to train on (.tif)",
    "validation": "tiles to validate with (.tif), may be none",
    "holdout": "held-out tiles (.tif), may be none: only for the VAE's cost",
    "latents": "cache to write (.safetensors)",
    "roundtrip": "decoded held-out tiles to write (.tif)",
    "train_roundtrip": "decoded training tiles to write (.tif), at most 256, evenly chosen",
    "figures": "the VAE's cost to write (.json)",
}
NUMBERS = {"batch_size": "tiles encoded at once, 16 if it is not given"}


def latents(stage: LatentsStage, paths: argparse.Namespace) -> None:
    """Write the cache, the round trips and the figures of the held-out one."""
    from safetensors.torch import save_file
    from tqdm import tqdm

    from pipeline_lib.dreambooth.latents import means_to_tiles, round_trip, tiles_to_moments
    from pipeline_lib.evaluation.round_trips import round_trip_figures
    from pipeline_lib.models.loading import load_model, ready_to_draw

    model = ready_to_draw(load_model(paths.model))
    batch_size = paths.batch_size or stage.batch_size
    made = provenance(
        "latents",
        {**stage.model_dump(mode="json"), "version": RESULT_VERSION["latents"]},
        model=value_to_sha256(model.card["files"]),
        train=file_to_sha256(paths.train),
        validation=file_to_sha256(paths.validation),
    )
    views = {"train": modality_to_views(stage.modality), "validation": (View(),)}
    tensors = {}
    for role in tqdm(views, desc="encoding", unit="stack", disable=None):
        moments = tiles_to_moments(model, read_stack(getattr(paths, role)), views[role], batch_size)
        tensors |= zip((f"{role}.mean", f"{role}.std"), moments, strict=True)
    holdout, means = read_stack(paths.holdout), tensors["train.mean"]
    measured = even_choice(len(means), MEASURED_TILES)
    decoded = round_trip(model, holdout, batch_size)
    metadata = {
        "provenance": json.dumps(made),
        "base": model.card["name"],
        "modality": stage.modality,
    }
    with atomic_path(paths.latents) as beside:
        save_file(tensors, beside, metadata=metadata)
    origin = {"provenance": made, "base": model.card["name"]}
    write_stack(paths.roundtrip, decoded, origin)
    write_stack(
        paths.train_roundtrip,
        means_to_tiles(model, means[measured, views["train"].index(View())], batch_size),
        {**origin, "tiles": measured.tolist()},
    )
    write_json(paths.figures, {**round_trip_figures(holdout, decoded), "provenance": made})


if __name__ == "__main__":
    run_stage(__doc__, LatentsStage, PATHS, latents, NUMBERS)
