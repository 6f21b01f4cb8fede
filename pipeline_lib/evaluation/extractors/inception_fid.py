"""The extractor of the Frechet Inception Distance (Heusel et al. 2017, arXiv:1706.08500)."""

from __future__ import annotations

from pathlib import Path

import torch

from pipeline_lib.evaluation.extractors.contract import Extractor
from pipeline_lib.evaluation.extractors.entries import INCEPTION_FILE
from pipeline_lib.evaluation.extractors.inception_network import InceptionNetwork
from pipeline_lib.evaluation.extractors.preparation import TensorFlowResize
from pipeline_lib.evaluation.extractors.weights import check_weights, read_state_dict
from pipeline_lib.settings.base import UserError

PREPARATION = TensorFlowResize(299)


def load_inception_fid(name: str, path: Path, sha256: str | None = None) -> Extractor:
    """Load the Inception v3 that the Frechet Inception Distance is defined by.

    Parameters
    ----------
    name : str
        Name in the registry.
    path : Path
        The published state dict, or another of the same layout.
    sha256 : str, optional
        What its SHA-256 must be. Scores are FID and KID only with the published one.

    Returns
    -------
    Extractor
        2048 features of 299 x 299 pixels.

    Raises
    ------
    UserError
        If the file is another one, or of another network.
    """
    found = check_weights(path, sha256)
    return Extractor(
        name=name,
        family="inception-fid",
        dimensions=2048,
        weights_sha256=found,
        preprocessing=PREPARATION.words,
        prepare=PREPARATION,
        network=weights_to_network(read_state_dict(path), path),
    )


def weights_to_network(weights: dict[str, torch.Tensor], path: Path) -> InceptionNetwork:
    """Return the network with the weights, refusing any that are missing, strange or too many."""
    network = InceptionNetwork()
    try:
        network.load_state_dict(weights, strict=True)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[1].strip()
        raise UserError(
            f"{path} is no state dict of FID's Inception v3: {reason[:300]}; take {INCEPTION_FILE}"
        ) from error
    return network
