"""DINOv2: vision transformers trained without labels (Oquab et al. 2023, arXiv:2304.07193).

Its features rank generative models nearer to human judgement than Inception's do (Stein et al.
2023, arXiv:2306.04675).
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
from pipeline_lib.settings.base import UserError

SIZE = 224


def load_dinov2(name: str, folder: Path, sha256: str | None = None) -> Extractor:
    """Load a DINOv2 model.

    Parameters
    ----------
    name : str
        Name in the registry.
    folder : Path
        `Dinov2Model` in the transformers layout.
    sha256 : str, optional
        What the SHA-256 of its weights' file must be.

    Returns
    -------
    Extractor
        The class token after the last norm, of 224 x 224 pixels.

    Raises
    ------
    UserError
        If the folder holds anything else.
    """
    from transformers import Dinov2Model

    preparation = GreyResize(SIZE, IMAGENET_MEAN, IMAGENET_DEVIATION)
    model, found = load_checked_model(Dinov2Model, folder, "dinov2", sha256)
    check_normalisation(folder, preparation)
    if SIZE % model.config.patch_size:
        raise UserError(
            f"{folder}: patches of {model.config.patch_size} pixels do not tile {SIZE} x {SIZE}; "
            "the published models have patches of 14"
        )
    return Extractor(
        name=name,
        family="dinov2",
        dimensions=model.config.hidden_size,
        weights_sha256=found,
        preprocessing=preparation.words,
        prepare=preparation,
        network=ClassToken(model),
    )
