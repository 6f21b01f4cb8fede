"""DINO: vision transformers trained without labels (Caron et al. 2021, arXiv:2104.14294).

The DreamBooth paper (Ruiz et al. 2023, arXiv:2208.12242) measures subject fidelity by the cosine
of class tokens of ViT-S/16.
"""

from __future__ import annotations

from pathlib import Path

from pipeline_lib.evaluation.extractors.contract import Extractor
from pipeline_lib.evaluation.extractors.preparation import (
    IMAGENET_DEVIATION,
    IMAGENET_MEAN,
    GreyResize,
)
from pipeline_lib.evaluation.extractors.vision_transformers import (
    ClassToken,
    check_normalisation,
    load_checked_model,
)


def load_dino(name: str, folder: Path, sha256: str | None = None) -> Extractor:
    """Load a DINO vision transformer.

    Parameters
    ----------
    name : str
        Name in the registry.
    folder : Path
        `ViTModel` in the transformers layout.
    sha256 : str, optional
        What the SHA-256 of its weights' file must be.

    Returns
    -------
    Extractor
        The class token after the last norm, of pictures of the size it was trained on.

    Raises
    ------
    UserError
        If the folder holds anything else.
    """
    from transformers import ViTModel

    # The pooler of the class is no part of DINO: its published weights would be drawn at random.
    model, found = load_checked_model(ViTModel, folder, "vit", sha256, add_pooling_layer=False)
    preparation = GreyResize(model.config.image_size, IMAGENET_MEAN, IMAGENET_DEVIATION)
    check_normalisation(folder, preparation)
    return Extractor(
        name=name,
        family="dino",
        dimensions=model.config.hidden_size,
        weights_sha256=found,
        preprocessing=preparation.words,
        prepare=preparation,
        network=ClassToken(model),
    )
