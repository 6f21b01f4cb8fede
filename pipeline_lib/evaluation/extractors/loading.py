"""An extractor by its name or by what `fetch_extractor` wrote of it, ready for use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from pipeline_lib.evaluation.extractors.contract import Extractor, place_extractor
from pipeline_lib.evaluation.extractors.entries import ExtractorCard
from pipeline_lib.evaluation.extractors.plugins import check_form, load_plugin
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.extractors import EXTRACTOR_KINDS, LPIPS

FolderLoader = Callable[[str, Path, str | None], Extractor]


def load_extractor(which: str | ExtractorCard, device: str | torch.device = "cpu") -> Extractor:
    """Load an extractor, ready for inference.

    Parameters
    ----------
    which : str or ExtractorCard
        Name of a built-in extractor whose weights are installed, a plug-in as
        ``module:attribute``, or what `fetch_extractor` wrote of any other.
    device : str or torch.device
        Where its network shall be.

    Returns
    -------
    Extractor
        In evaluation mode, without gradients, channels last.

    Raises
    ------
    UserError
        If there is no extractor of that name, or its weights are not the ones that were named.
    """
    card = name_to_card(which) if isinstance(which, str) else which
    if card.attribute is not None:
        extractor = load_plugin(card.attribute, device)
    else:
        extractor = place_extractor(_load_family(card), device)
    if card.sha256 not in (None, extractor.weights_sha256):
        raise UserError(
            f"extractor `{card.name}`: its weights have SHA-256 {extractor.weights_sha256}, "
            f"needed is {card.sha256}; correct the extractor's `sha256`, or install its package "
            "again"
        )
    return extractor if ":" in card.name else replace(extractor, name=card.name)


def name_to_card(name: str) -> ExtractorCard:
    """Return the description of an extractor that needs no fetching.

    Raises
    ------
    UserError
        If there is none of that name, or it needs fetching.
    """
    if ":" in name:
        check_form(name)
        return ExtractorCard(name=name, family="plug-in", attribute=name)
    if EXTRACTOR_KINDS.get(name) != ("package",) or name == "plug-in":
        raise UserError(
            f"extractor {name!r}: its weights are in no package; load it by the description that "
            "the stage `fetch_extractor` writes, or name a plug-in as module:attribute"
        )
    return ExtractorCard(name=name, family=name)


def read_card(path: Path | str) -> ExtractorCard:
    """Return the description of an extractor that `fetch_extractor` wrote."""
    return ExtractorCard.model_validate_json(Path(path).read_text(encoding="utf-8"))


def _load_family(card: ExtractorCard) -> Extractor:
    """Load an extractor of a built-in family, on the CPU."""
    if card.family == "efficientnet-lite0":
        from pipeline_lib.evaluation.extractors.efficientnet_lite0 import load_efficientnet_lite0

        return load_efficientnet_lite0(card.name)
    if card.weights is None:
        raise UserError(
            f"extractor `{card.name}` has no weights in its description; fetch it again"
        )
    if card.family == LPIPS:
        raise UserError(
            f"extractor `{card.name}` gives distances of pairs of images, by `load_lpips`, and no "
            "features; name an extractor of another family"
        )
    return _family_to_loader(card.family)(card.name, Path(card.weights), card.sha256)


def _family_to_loader(family: str) -> FolderLoader:
    """Return what loads a family's weights from a folder or file."""
    from pipeline_lib.evaluation.extractors.clip import load_clip
    from pipeline_lib.evaluation.extractors.dino import load_dino
    from pipeline_lib.evaluation.extractors.dinov2 import load_dinov2
    from pipeline_lib.evaluation.extractors.inception_fid import load_inception_fid

    return {
        "dinov2": load_dinov2,
        "dino": load_dino,
        "clip": load_clip,
        "inception-fid": load_inception_fid,
    }[family]
