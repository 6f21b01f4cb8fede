"""Measure the camera's noise that a base model's autoencoder loses, and give it back to tiles.

Measured on training tiles alone. Held-out tiles that went through the autoencoder get the noise as
synthetic images do, so that the comparison of both is fair.
"""

from __future__ import annotations

import argparse
import logging

import numpy as np

from pipeline_lib.command_line import run_stage
from pipeline_lib.files import atomic_path, file_to_sha256, provenance, write_json
from pipeline_lib.imaging.camera_noise import (
    CameraNoise,
    add_camera_noise,
    camera_noise_to_record,
    stacks_to_transfer_curves,
    tiles_to_camera_noise,
)
from pipeline_lib.imaging.stacks import read_stack, read_stack_metadata, write_stack
from pipeline_lib.randomness import key_of
from pipeline_lib.settings.camera import CameraStage

PATHS = {
    "train": "training tiles (.tif)",
    "train_roundtrip": "those of them that went through the autoencoder, decoded (.tif)",
    "roundtrip": "held-out tiles after the autoencoder (.tif), may be none",
    "camera": "noise to write (.json)",
    "noisy": "held-out tiles after the autoencoder with their noise to write (.tif)",
    "picture": "photon transfer curves before and after to write (.png)",
}


def camera(stage: CameraStage, paths: argparse.Namespace) -> None:
    """Write the noise, its curves and the held-out tiles that were given it."""
    from pipeline_lib.reporting.figures import transfer_curves_to_png

    decoded = read_stack(paths.train_roundtrip)
    measured = read_stack_metadata(paths.train_roundtrip)["tiles"]
    real = read_stack(paths.train)[measured]
    noise = tiles_to_camera_noise(real, decoded)
    logging.info("%s", noise_to_words(noise))
    versions = {"real": real, "decoded": decoded}
    versions["restored"] = add_camera_noise(decoded, noise, tile_keys(stage, "train", decoded))
    curves = stacks_to_transfer_curves(versions, real, decoded)
    inputs = {name: file_to_sha256(getattr(paths, name)) for name in ("train", "train_roundtrip")}
    made = {"provenance": provenance("camera", stage.model_dump(mode="json"), **inputs)}
    record = camera_noise_to_record(noise)
    write_json(paths.camera, {**record, "curves": curves, "tiles": len(real), **made})
    with atomic_path(paths.picture) as beside:
        beside.write_bytes(transfer_curves_to_png(curves))
    holdout = read_stack(paths.roundtrip)
    noisy = add_camera_noise(holdout, noise, tile_keys(stage, "holdout", holdout))
    write_stack(paths.noisy, noisy, made)


def tile_keys(stage: CameraStage, role: str, tiles: np.ndarray) -> list[int]:
    """Return the key of each tile."""
    return [key_of("round trip", 0, stage.dataset, role, index) for index in range(len(tiles))]


def noise_to_words(noise: CameraNoise) -> str:
    """Say how strong the noise is."""
    if not noise.variance.any():
        return "the autoencoder loses no noise that could be told from structure: none is added"
    low, high = np.sqrt([noise.variance.min(), noise.variance.max()])
    before = "; the tiles are JPEG, this is from before" if noise.steps.any() else ""
    return f"the autoencoder loses noise of {low:.1f} to {high:.1f} grey levels{before}"


if __name__ == "__main__":
    run_stage(__doc__, CameraStage, PATHS, camera)
