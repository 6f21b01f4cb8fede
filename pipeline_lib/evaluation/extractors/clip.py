"""CLIP: one space for images and texts (Radford et al. 2021, arXiv:2103.00020)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pipeline_lib.evaluation.extractors.contract import Extractor
from pipeline_lib.evaluation.extractors.preparation import GreyResize
from pipeline_lib.evaluation.extractors.vision_transformers import (
    check_normalisation,
    load_checked_model,
)
from pipeline_lib.settings.base import UserError

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_DEVIATION = (0.26862954, 0.26130258, 0.27577711)


class Half(torch.nn.Module):
    """One half of CLIP: its transformer's pooled token, projected into the shared space."""

    def __init__(self, transformer: torch.nn.Module, projection: torch.nn.Module) -> None:
        super().__init__()
        self.transformer = transformer
        self.projection = projection

    def forward(self, *images: torch.Tensor, **tokens: torch.Tensor) -> torch.Tensor:
        """Return (B, D) embeddings of normalised images, or of tokens with their mask."""
        return self.projection(self.transformer(*images, **tokens).pooler_output)


@dataclass(frozen=True, eq=False)
class PromptEncoder:
    """CLIP's text half with its tokenizer.

    Attributes
    ----------
    dimensions : int
        Length D of an embedding, that of the image half.
    weights_sha256 : str
        SHA-256 of the weights' file; equal to the image half's.
    tokens : int
        Tokens that it reads, start and end among them.
    tokenizer : CLIPTokenizer
        Words to tokens.
    network : Half
        In evaluation mode.
    device : torch.device
        Where the network is.
    """

    dimensions: int
    weights_sha256: str
    tokens: int
    tokenizer: Any
    network: Half
    device: torch.device


def load_clip(name: str, folder: Path, sha256: str | None = None) -> Extractor:
    """Load the image half of a CLIP model.

    Parameters
    ----------
    name : str
        Name in the registry.
    folder : Path
        `CLIPModel` in the transformers layout.
    sha256 : str, optional
        What the SHA-256 of its weights' file must be.

    Returns
    -------
    Extractor
        The image embedding, not scaled to length 1, of pictures of the size it was trained on.

    Raises
    ------
    UserError
        If the folder holds anything else.
    """
    from transformers import CLIPModel

    model, found = load_checked_model(CLIPModel, folder, "clip", sha256)
    size = model.config.vision_config.image_size
    preparation = GreyResize(size, CLIP_MEAN, CLIP_DEVIATION)
    check_normalisation(folder, preparation)
    return Extractor(
        name=name,
        family="clip",
        dimensions=model.config.projection_dim,
        weights_sha256=found,
        preprocessing=preparation.words,
        prepare=preparation,
        network=Half(model.vision_model, model.visual_projection),
    )


def load_prompt_encoder(
    folder: Path, sha256: str | None = None, device: str | torch.device = "cpu"
) -> PromptEncoder:
    """Load the text half of a CLIP model.

    Parameters
    ----------
    folder : Path
        `CLIPModel` with its tokenizer in the transformers layout.
    sha256 : str, optional
        What the SHA-256 of its weights' file must be.
    device : str or torch.device
        Where the network shall be.

    Returns
    -------
    PromptEncoder
        Ready for inference.

    Raises
    ------
    UserError
        If the folder holds anything else, or no tokenizer.
    """
    from transformers import CLIPModel, CLIPTokenizer

    model, found = load_checked_model(CLIPModel, folder, "clip", sha256)
    half = Half(model.text_model, model.text_projection).eval().requires_grad_(False)
    if not any((folder / name).is_file() for name in ("tokenizer.json", "vocab.json")):
        raise UserError(f"{folder} has no tokenizer.json and no vocab.json; prompts need one")
    return PromptEncoder(
        dimensions=model.config.projection_dim,
        weights_sha256=found,
        tokens=model.config.text_config.max_position_embeddings,
        tokenizer=CLIPTokenizer.from_pretrained(folder, local_files_only=True),
        network=half.to(torch.device(device)),
        device=torch.device(device),
    )


def prompts_to_features(encoder: PromptEncoder, prompts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Return the embeddings of prompts in the space of the image embeddings.

    The mean cosine of a prompt's embedding and its images' is CLIP-T of the DreamBooth paper
    (Ruiz et al. 2023).

    Parameters
    ----------
    encoder : PromptEncoder
        From `load_prompt_encoder`.
    prompts : sequence of str
        P texts.

    Returns
    -------
    ndarray
        (P, D) float32, not scaled to length 1.

    Raises
    ------
    UserError
        If a prompt is longer than CLIP reads.
    """
    if not prompts:
        return np.empty((0, encoder.dimensions), np.float32)
    tokens = encoder.tokenizer(list(prompts), padding=True, return_tensors="pt")
    for prompt, used in zip(prompts, tokens.attention_mask.sum(dim=1).tolist(), strict=True):
        if used > encoder.tokens:
            raise UserError(
                f"prompt {prompt!r} has {used} tokens, CLIP reads {encoder.tokens}; shorten it"
            )
    with torch.inference_mode():
        embedded = encoder.network(**tokens.to(encoder.device))
    return embedded.float().cpu().numpy()
