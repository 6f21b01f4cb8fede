"""What every extractor is, and its use: a stack of 8-bit images in, float32 features out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pipeline_lib.settings.base import UserError


@dataclass(frozen=True, eq=False)
class Extractor:
    """A network with its preparation of images.

    An image's features depend on that image alone: never on those beside it, nor on chance.

    Attributes
    ----------
    name : str
        Scores, rows and folders are named after it: small letters, digits, ``-`` and ``_``.
    family : str
        What kind of network it is: a family of `settings.ExtractorEntry`.
    dimensions : int
        Length D of a feature vector.
    weights_sha256 : str
        SHA-256 of the weights' file, 64 hexadecimal digits.
    preprocessing : str
        What `prepare` does, in words.
    prepare : callable
        Takes (B, Y, X) uint8 grey images on the network's device, returns what the network takes.
    network : torch.nn.Module
        Takes what `prepare` returns, returns (B, D) float32.
    device : torch.device
        Where the network is; `place_extractor` moves it.
    """

    name: str
    family: str
    dimensions: int
    weights_sha256: str
    preprocessing: str
    prepare: Callable[[torch.Tensor], torch.Tensor]
    network: torch.nn.Module
    device: torch.device = torch.device("cpu")  # noqa: RUF009 a device does not change


def place_extractor(extractor: Extractor, device: str | torch.device) -> Extractor:
    """Return the extractor on a device, ready for inference.

    Parameters
    ----------
    extractor : Extractor
        Its network is changed in place.
    device : str or torch.device
        Where the network shall be.

    Returns
    -------
    Extractor
        In evaluation mode, without gradients, channels last.
    """
    extractor.network.eval().requires_grad_(False)
    extractor.network.to(device=device, memory_format=torch.channels_last)
    return replace(extractor, device=torch.device(device))


def extractor_to_description(extractor: Extractor) -> dict[str, Any]:
    """Return what a file of features says about the extractor that made them.

    Returns
    -------
    dict
        JSON-able: extractor, family, dimensions, weights_sha256 and preprocessing.
    """
    return {
        "extractor": extractor.name,
        "family": extractor.family,
        "dimensions": extractor.dimensions,
        "weights_sha256": extractor.weights_sha256,
        "preprocessing": extractor.preprocessing,
    }


def iterate_features(
    extractor: Extractor, images: npt.NDArray[np.uint8], batch_size: int = 32
) -> Iterator[npt.NDArray[np.float32]]:
    """Yield the features of images, batch by batch.

    Parameters
    ----------
    extractor : Extractor
        From `load_extractor`.
    images : ndarray
        (N, Y, X) uint8 grey images as the model sees them. Nothing else is accepted: to scale
        16-bit or float data is the intensity map's task, not the extractor's.
    batch_size : int
        Images at once.

    Yields
    ------
    ndarray
        (B, dimensions) float32.

    Raises
    ------
    UserError
        If the images are not (N, Y, X) uint8.
    """
    check_images(images)
    for first in range(0, len(images), batch_size):
        batch = torch.from_numpy(images[first : first + batch_size].copy()).to(extractor.device)
        with torch.inference_mode():
            yield extractor.network(extractor.prepare(batch)).float().cpu().numpy()


def images_to_features(
    extractor: Extractor, images: npt.NDArray[np.uint8], batch_size: int = 32
) -> npt.NDArray[np.float32]:
    """Return the features of all images.

    Parameters
    ----------
    extractor : Extractor
        From `load_extractor`.
    images : ndarray
        (N, Y, X) uint8; N may be 0.
    batch_size : int
        Images at once.

    Returns
    -------
    ndarray
        (N, dimensions) float32.
    """
    batches = list(iterate_features(extractor, images, batch_size))
    return np.concatenate([np.empty((0, extractor.dimensions), np.float32), *batches])


def check_images(images: npt.NDArray[np.uint8]) -> None:
    """Refuse what is not a stack of mapped 8-bit grey images.

    Raises
    ------
    UserError
        Saying what was found and what mends it.
    """
    if images.dtype != np.uint8 or images.ndim != 3:
        raise UserError(
            f"the extractor takes 8-bit grey images (uint8, N x Y x X), found {images.dtype} of "
            f"shape {images.shape}; map camera counts by the dataset's intensity.json first, "
            "as the stage `tiles` does"
        )
