"""LPIPS with the published weights, ready for use: images to vectors, and what they are called."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from pipeline_lib.evaluation.extractors.contract import check_images
from pipeline_lib.evaluation.extractors.entries import ExtractorCard
from pipeline_lib.evaluation.extractors.lpips_network import (
    CHANNELS,
    CONVOLUTIONS,
    SMALLEST_SIDE,
    LpipsNetwork,
)
from pipeline_lib.evaluation.extractors.weights import (
    check_weights,
    folder_to_lpips_files,
    read_state_dict,
)
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.extractors import LPIPS, LPIPS_ORIGIN

# An image's maps take some forty bytes for each of its pixels.
PIXELS_AT_ONCE = 1 << 21
Weights = Mapping[str, torch.Tensor]


def load_lpips(card: ExtractorCard, device: str | torch.device = "cpu") -> LpipsNetwork:
    """Load LPIPS, ready for inference.

    Parameters
    ----------
    card : ExtractorCard
        What `fetch_extractor` wrote of an extractor of family `lpips`.
    device : str or torch.device
        Where the network shall be.

    Returns
    -------
    LpipsNetwork
        In evaluation mode, without gradients.

    Raises
    ------
    UserError
        If the card is of another family, or the files are others than it says or of another
        network.
    """
    if card.family != LPIPS or card.weights is None:
        raise UserError(
            f"extractor `{card.name}` of family `{card.family}` gives no LPIPS; needed is one of "
            f"family `{LPIPS}`, fetched by `fetch_extractor`"
        )
    paths = folder_to_lpips_files(Path(card.weights))
    for path in paths:
        check_weights(path, card.files.get(path.name))
    network = files_to_network(*paths)
    return network.eval().requires_grad_(False).to(device)


def files_to_network(convolutions: Path, heads: Path) -> LpipsNetwork:
    """Return the network with the weights of both files.

    Raises
    ------
    UserError
        If a tensor is missing or of another shape, or a head's weight is below 0.
    """
    names = [f"lin{place}.model.1.weight" for place in range(len(CHANNELS))]
    shapes = {name: (1, width, 1, 1) for name, width in zip(names, CHANNELS, strict=True)}
    weights = _pick(read_state_dict(heads), shapes, heads)
    if below := [name for name in names if not (weights[name] >= 0).all()]:
        raise UserError(f"{heads}: {below[0]} has weights below 0; needed are {LPIPS_ORIGIN}")
    network = LpipsNetwork([weights[name].flatten() for name in names])
    network.load_state_dict(_pick(read_state_dict(convolutions), _convolutions(), convolutions))
    return network


def _convolutions() -> dict[str, tuple[int, ...]]:
    """Return the shapes of AlexNet's convolutions by name."""
    shapes: dict[str, tuple[int, ...]] = {}
    for name, (into, out, kernel, _, _) in CONVOLUTIONS.items():
        shapes[f"features.{name}.weight"] = (out, into, kernel, kernel)
        shapes[f"features.{name}.bias"] = (out,)
    return shapes


def _pick(found: Weights, shapes: Mapping[str, tuple[int, ...]], path: Path) -> Weights:
    """Return the tensors of these names, refusing those that are missing or misshapen."""
    for name, shape in shapes.items():
        there = tuple(found[name].shape) if name in found else "nothing"
        if there != shape:
            raise UserError(
                f"{path} is no part of LPIPS with AlexNet: of {name} found {there}, needed is "
                f"{shape}; take {LPIPS_ORIGIN}"
            )
    return {name: found[name].detach().float() for name in shapes}


def images_to_vectors(
    network: LpipsNetwork, images: npt.NDArray[np.uint8]
) -> npt.NDArray[np.float32]:
    """Return the vectors whose squared distances are LPIPS.

    Parameters
    ----------
    network : LpipsNetwork
        From `load_lpips`.
    images : ndarray
        (B, Y, X) uint8, Y and X at least 31; they are not resized. Grey counts as three equal
        colours.

    Returns
    -------
    ndarray
        (B, D) float32.

    Raises
    ------
    UserError
        If the images are no stack of bytes, or too small for the network.
    """
    check_images(images)
    if min(images.shape[1:]) < SMALLEST_SIDE:
        raise UserError(
            f"LPIPS needs images of at least {SMALLEST_SIDE} pixels a side, found "
            f"{images.shape[1]} x {images.shape[2]}; set `tiles: {{size: ...}}` larger, or leave "
            "LPIPS out of `evaluation.extractors`"
        )
    device = network.get_buffer("shift").device
    with torch.inference_mode():
        return network(torch.from_numpy(images.copy()).to(device)).cpu().numpy()


def images_at_once(height: int, width: int) -> int:
    """Return how many images a call should take, so that their maps fit the memory."""
    return max(1, PIXELS_AT_ONCE // max(1, height * width))
