"""From prompts to what the UNet is conditioned on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from pipeline_lib.models.loading import BaseModel
from pipeline_lib.models.tokenization import check_length


@dataclass(frozen=True, eq=False)
class PromptEmbedding:
    """Encoded prompts.

    Attributes
    ----------
    hidden : Tensor, shape (prompts, tokens, width)
        What the UNet's cross-attention reads.
    pooled : Tensor, shape (prompts, width), or None
        SDXL's summary of each prompt.
    """

    hidden: torch.Tensor
    pooled: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.hidden)

    def repeated(self, count: int) -> PromptEmbedding:
        """Return the embedding of one prompt for a batch of `count` pictures."""
        pooled = None if self.pooled is None else self.pooled.expand(count, -1)
        return PromptEmbedding(self.hidden.expand(count, -1, -1), pooled)

    def chosen(self, prompts: torch.Tensor) -> PromptEmbedding:
        """Return the embeddings of prompts by their numbers, which may repeat.

        The gradient of `index_select` adds in one order. That of ``hidden[prompts]`` is a race
        between threads, which no two runs end alike.
        """
        pooled = None if self.pooled is None else self.pooled.index_select(0, prompts)
        return PromptEmbedding(self.hidden.index_select(0, prompts), pooled)


def join_embeddings(embeddings: Sequence[PromptEmbedding]) -> PromptEmbedding:
    """Return several embeddings as one batch, in order."""
    pooled = [embedding.pooled for embedding in embeddings if embedding.pooled is not None]
    return PromptEmbedding(
        torch.cat([embedding.hidden for embedding in embeddings]),
        torch.cat(pooled) if pooled else None,
    )


def encode_prompts(model: BaseModel, prompts: Sequence[str]) -> PromptEmbedding:
    """Encode prompts as the model's own pipeline does; differentiable in the text encoders.

    Parameters
    ----------
    model : BaseModel
        Its tokenizers and text encoders are used.
    prompts : sequence of str
        Texts.

    Returns
    -------
    PromptEmbedding
        Stable Diffusion: the last hidden states. SDXL: the last but one of both text encoders,
        side by side, and the second one's projected summary.

    Raises
    ------
    UserError
        If a prompt has more tokens than the model reads.
    """
    if model.architecture != "sdxl":
        tokens = prompts_to_tokens(model, prompts, 0)
        return PromptEmbedding(model.text_encoders[0](tokens).last_hidden_state)
    outputs = [
        encoder(prompts_to_tokens(model, prompts, slot), output_hidden_states=True)
        for slot, encoder in enumerate(model.text_encoders)
    ]
    hidden = torch.cat([output.hidden_states[-2] for output in outputs], dim=-1)
    return PromptEmbedding(hidden, outputs[1].text_embeds)


def encode_training_prompts(model: BaseModel, prompts: Sequence[str]) -> PromptEmbedding:
    """Encode prompts to train on, the empty one as `encode_negative_prompt` does.

    Parameters
    ----------
    model : BaseModel
        The model.
    prompts : sequence of str
        Texts; the empty one is what guidance will lead away from.

    Returns
    -------
    PromptEmbedding
        As of `encode_prompts`; zeros for the empty prompt where the model was trained so (SDXL).
    """
    embedding = encode_prompts(model, prompts)
    if "" not in prompts or not model.description.zero_empty_prompt:
        return embedding
    told = torch.tensor([bool(prompt) for prompt in prompts], device=embedding.hidden.device)
    pooled = embedding.pooled
    return PromptEmbedding(
        embedding.hidden * told[:, None, None], None if pooled is None else pooled * told[:, None]
    )


def encode_negative_prompt(model: BaseModel, prompt: str) -> PromptEmbedding:
    """Encode what classifier-free guidance leads away from.

    Parameters
    ----------
    model : BaseModel
        The model.
    prompt : str
        What the pictures should not show; may be empty.

    Returns
    -------
    PromptEmbedding
        One prompt; zeros where it is empty and the model was trained so (SDXL).
    """
    embedding = encode_prompts(model, [prompt])
    if prompt or not model.description.zero_empty_prompt:
        return embedding
    pooled = None if embedding.pooled is None else torch.zeros_like(embedding.pooled)
    return PromptEmbedding(torch.zeros_like(embedding.hidden), pooled)


def prompts_to_tokens(model: BaseModel, prompts: Sequence[str], slot: int = 0) -> torch.Tensor:
    """Return the token ids of prompts, padded to the model's length.

    Parameters
    ----------
    model : BaseModel
        The model.
    prompts : sequence of str
        Texts.
    slot : int
        Which tokenizer: 0, or 1 of SDXL.

    Returns
    -------
    Tensor of int64, shape (prompts, tokens)
        On the model's device.

    Raises
    ------
    UserError
        If a prompt is too long; it would be cut without a word.
    """
    tokenizer = model.tokenizers[slot]
    length = model.text_encoders[slot].config.max_position_embeddings
    ids = tokenizer(list(prompts), padding="max_length", max_length=length).input_ids
    for prompt, row in zip(prompts, ids, strict=True):
        check_length(prompt, len(row), length, model.folder)
    return torch.tensor(ids, device=model.device)


def added_conditions(
    model: BaseModel, embedding: PromptEmbedding, size: int
) -> dict[str, torch.Tensor] | None:
    """Return SDXL's further conditions, or None for the others.

    Parameters
    ----------
    model : BaseModel
        The model.
    embedding : PromptEmbedding
        Prompts of the batch.
    size : int
        Side of the pictures in pixels: given as their original and target size, not cropped.

    Returns
    -------
    dict of str to Tensor, or None
        ``text_embeds`` and ``time_ids`` as `UNet2DConditionModel` takes them.
    """
    if model.architecture != "sdxl":
        return None
    times = torch.tensor([size, size, 0, 0, size, size], device=embedding.hidden.device)
    return {
        "text_embeds": embedding.pooled,
        "time_ids": times.to(embedding.hidden.dtype).expand(len(embedding), -1),
    }
