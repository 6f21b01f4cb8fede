"""What training sees, in memory: latents of the concepts, class latents, prompts, batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from pipeline_lib.dreambooth.schedule import STAGE, Draw, Half, Source, slot_to_draw
from pipeline_lib.models.pictures import scale_latents
from pipeline_lib.randomness import key_of, keys_to_noise
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.templates import template_to_prompt
from pipeline_lib.settings.trained_concepts import TrainedConcept
from pipeline_lib.training.refusals import refuse_no_tiles

if TYPE_CHECKING:
    from pipeline_lib.models.loading import BaseModel

Tensors = Mapping[str, torch.Tensor]
NO_PROMPT = ""
FIXED_SAMPLES = 32


@dataclass(frozen=True)
class Subject:
    """One concept's pictures as scaled latents, and its prompt.

    Parameters
    ----------
    name : str
        The concept.
    prompt : str
        With the identifier, without captions.
    tile_prompts : tuple of str
        One a tile, with the tile's own words where the template names them.
    mean, std : torch.Tensor
        Moments of every view, (tiles, views, channels, h, w).
    validation : torch.Tensor
        Means of the validation tiles, (tiles, channels, h, w); may be none.
    """

    name: str
    prompt: str
    tile_prompts: tuple[str, ...]
    mean: torch.Tensor
    std: torch.Tensor
    validation: torch.Tensor


@dataclass(frozen=True)
class ClassImages:
    """Class latents of one concept, (images, channels, h, w), their prompt, and their weight."""

    prompt: str
    latents: torch.Tensor
    weight: float = 1.0


@dataclass(frozen=True)
class TrainingData:
    """All of it, on the training's device.

    Parameters
    ----------
    subjects : tuple of Subject
        One a concept.
    classes : tuple of ClassImages
        Of the concepts that have a prior; may be none.
    caption_dropout : float
        Share of all samples that are trained on the empty prompt.
    """

    subjects: tuple[Subject, ...]
    classes: tuple[ClassImages, ...]
    caption_dropout: float = 0.0

    @cached_property
    def prompts(self) -> tuple[str, ...]:
        """The different prompts: subjects', classes', tiles' own, and the empty one if used."""
        texts = [part.prompt for part in (*self.subjects, *self.classes)]
        texts += [text for subject in self.subjects for text in subject.tile_prompts]
        texts += [NO_PROMPT] if self.caption_dropout else []
        return tuple(dict.fromkeys(texts))


@dataclass(frozen=True)
class Batch:
    """One step's samples, subjects first.

    Parameters
    ----------
    latents, noise : torch.Tensor
        (batch, channels, h, w).
    timesteps, prompts : torch.Tensor
        Diffusion time step, and index of the prompt in `TrainingData.prompts`, (batch,).
    subjects : int
        How many of them are subjects'.
    weights : torch.Tensor, optional
        Of each sample in the loss, (batch,); none is one for all.
    """

    latents: torch.Tensor
    noise: torch.Tensor
    timesteps: torch.Tensor
    prompts: torch.Tensor
    subjects: int
    weights: torch.Tensor | None = None

    def chosen(self, samples: Sequence[int]) -> Batch:
        """Return some samples, subjects first, by their numbers."""
        index = torch.tensor(samples, device=self.latents.device)
        return Batch(
            latents=self.latents[index],
            noise=self.noise[index],
            timesteps=self.timesteps[index],
            prompts=self.prompts[index],
            subjects=sum(sample < self.subjects for sample in samples),
            weights=None if self.weights is None else self.weights[index],
        )

    def pieces(self, number: int) -> list[Batch]:
        """Return every so-manieth sample of both halves: all pieces hold all noise levels."""
        subjects = range(self.subjects)
        classes = range(self.subjects, len(self.latents))
        return [
            self.chosen([*subjects[first::number], *classes[first::number]])
            for first in range(number)
        ]


def assemble(
    model: BaseModel,
    concepts: Sequence[TrainedConcept],
    identifiers: Sequence[str],
    latents: Sequence[Tensors],
    priors: Mapping[str, torch.Tensor],
    captions: Mapping[str, Sequence[str]] | None = None,
    caption_dropout: float = 0.0,
) -> TrainingData:
    """Pair each concept with its latents, prompts and prior, scaled and on the model's device.

    Parameters
    ----------
    model : BaseModel
        Its VAE's scaling and its UNet's channels and device.
    concepts : sequence of TrainedConcept
        The run's concepts.
    identifiers : sequence of str
        One a concept.
    latents : sequence of mapping
        One a concept: ``train.mean``, ``train.std``, ``validation.mean``, unscaled.
    priors : mapping
        Scaled class latents by class prompt; empty to train without prior preservation.
    captions : mapping, optional
        By concept, a caption for each training tile, which may be empty. Used where the concept's
        template names it.
    caption_dropout : float
        Share of all samples that are trained on the empty prompt.

    Returns
    -------
    TrainingData
        Checked: shapes fit each other and the UNet.

    Raises
    ------
    UserError
        If there are no tiles, or shapes do not fit, or a concept has not one caption a tile.
    """
    captions = captions or {}
    device = next(model.unet.parameters()).device
    subjects = tuple(
        _subject(model, concept, identifier, tensors, captions.get(concept.concept, ()))
        for concept, identifier, tensors in zip(concepts, identifiers, latents, strict=True)
    )
    classes = tuple(
        ClassImages(
            concept.class_prompt, priors[concept.class_prompt].to(device), concept.prior_weight
        )
        for concept in concepts
        if concept.class_prompt in priors
    )
    _check_shapes(model, subjects, classes)
    return TrainingData(subjects, classes, caption_dropout)


def _subject(
    model: BaseModel,
    concept: TrainedConcept,
    identifier: str,
    tensors: Tensors,
    captions: Sequence[str],
) -> Subject:
    """Scale one concept's moments and fill its prompts."""
    device = next(model.unet.parameters()).device
    refuse_no_tiles(concept.dataset, len(tensors["train.mean"]))
    std = tensors["train.std"] * model.vae.config.scaling_factor
    return Subject(
        name=concept.concept,
        prompt=concept_to_prompt(concept, identifier),
        tile_prompts=_tile_prompts(concept, identifier, captions, len(tensors["train.mean"])),
        mean=scale_latents(model, tensors["train.mean"]).to(device),
        std=std.to(device),
        validation=scale_latents(model, tensors["validation.mean"][:, 0]).to(device),
    )


def concept_to_prompt(concept: TrainedConcept, identifier: str, caption: str = "") -> str:
    """Return the training prompt of a concept, with a tile's caption if it has one."""
    template = concept.training_prompt
    return template_to_prompt(template, concept.modality, concept.noun, identifier, caption)


def concept_to_class_prompt(concept: TrainedConcept) -> str:
    """Return the prompt of a concept's class images, or its training prompt of the class alone."""
    if concept.class_prompt:
        return concept.class_prompt
    return template_to_prompt(concept.training_prompt, concept.modality, concept.noun)


def _tile_prompts(
    concept: TrainedConcept, identifier: str, captions: Sequence[str], tiles: int
) -> tuple[str, ...]:
    """Return the prompt of each tile."""
    if not concept.captioned:
        return (concept_to_prompt(concept, identifier),) * tiles
    check_captions(concept, captions, tiles)
    return tuple(concept_to_prompt(concept, identifier, caption) for caption in captions)


def check_captions(concept: TrainedConcept, captions: Sequence[str], tiles: int) -> None:
    """Raise UserError unless a concept whose prompt takes captions has one a tile."""
    if concept.captioned and len(captions) != tiles:
        raise UserError(
            f"concept {concept.concept} names {{caption}} in its training prompt and has {tiles} "
            f"training tiles, found {len(captions)} captions: give the tiles' table "
            f"(--tables datasets/{concept.dataset}/train.tsv) that was written with the latents' "
            "tiles."
        )


def _check_shapes(
    model: BaseModel, subjects: Sequence[Subject], classes: Sequence[ClassImages]
) -> None:
    """Raise UserError unless all latents have one shape, with the UNet's channels."""
    shape = subjects[0].mean.shape[2:]
    for subject in subjects:
        if subject.mean.shape[2:] != shape:
            raise UserError(
                f"concept {subject.name} has latents of {_text(subject.mean.shape[2:])}, "
                f"{subjects[0].name} of {_text(shape)}: give the datasets of one run the same "
                "tiles.size."
            )
    for images in classes:
        if images.latents.shape[1:] != shape:
            raise UserError(
                f"class images of {images.prompt!r} have latents of "
                f"{_text(images.latents.shape[1:])}, the tiles {_text(shape)}: set the prior's "
                "`size` to the tiles' size."
            )
    model.latent_shape(shape[1] * model.description.downsampling)
    if shape[0] != model.unet.config.in_channels:
        raise UserError(
            f"the latents have {shape[0]} channels, the UNet takes "
            f"{model.unet.config.in_channels}: they were made with another base model."
        )


def _text(shape: Sequence[int]) -> str:
    """Return a shape in words."""
    return " x ".join(str(side) for side in shape)


def make_batch(
    data: TrainingData,
    seed: int,
    step: int,
    sizes: tuple[int, int],
    timesteps: torch.Tensor,
    offset_noise: float = 0.0,
) -> Batch:
    """Return the samples of a step.

    Parameters
    ----------
    data : TrainingData
        What can be drawn.
    seed, step : int
        With the slot's number they decide everything (`schedule.slot_to_draw`).
    sizes : tuple of int
        Subject samples, class samples; the latter are none where there are no class images.
    timesteps : Tensor of int64, shape (places,)
        Diffusion time step at each of as many equally likely places.
    offset_noise : float
        Strength of noise that is constant over each channel of a sample, added to the other.

    Returns
    -------
    Batch
        On the data's device. Subject latents are drawn anew as mean + std * noise.
    """
    subject_draws = _half_to_draws(data, "subject", seed, step, sizes[0], len(timesteps))
    class_draws = _half_to_draws(data, "prior", seed, step, sizes[1], len(timesteps))
    draws = [*subject_draws, *class_draws]
    latents = _subject_latents(data, subject_draws)
    if class_draws:
        of_classes = [data.classes[draw.concept].latents[draw.image] for draw in class_draws]
        latents = torch.cat([latents, torch.stack(of_classes)])
    texts = [data.subjects[draw.concept].tile_prompts[draw.image] for draw in subject_draws]
    texts += [data.classes[draw.concept].prompt for draw in class_draws]
    told = [NO_PROMPT if draw.dropped else text for text, draw in zip(texts, draws, strict=True)]
    weights = [1.0] * len(subject_draws)
    weights += [data.classes[draw.concept].weight for draw in class_draws]
    return Batch(
        latents=latents,
        noise=keys_to_training_noise(latents, [draw.noise_key for draw in draws], offset_noise),
        timesteps=timesteps[[draw.place for draw in draws]].to(latents.device),
        prompts=torch.tensor([data.prompts.index(text) for text in told], device=latents.device),
        subjects=len(subject_draws),
        weights=torch.tensor(weights, device=latents.device),
    )


def noise_like(samples: torch.Tensor, keys: Sequence[int]) -> torch.Tensor:
    """Return the keys' noise in the samples' shape (without the first axis), on their device."""
    noise = torch.from_numpy(keys_to_noise(keys, samples.shape[1:]))
    if samples.device.type == "cuda":  # the transfer then waits for nothing
        return noise.pin_memory().to(samples.device, non_blocking=True)
    return noise.to(samples.device)


def fixed_samples(
    tiles: torch.Tensor, timesteps: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return samples of some tiles that are the same at every call.

    Parameters
    ----------
    tiles : Tensor, shape (tiles, channels, h, w)
        Clean, at least one.
    timesteps : int
        Number of diffusion time steps.

    Returns
    -------
    clean, noise : Tensor, shape (samples, channels, h, w)
        Tiles and what is added to them, for any tiles the same.
    timesteps : Tensor of int64, shape (samples,)
        Spread evenly.
    """
    spread = torch.arange(FIXED_SAMPLES, device=tiles.device)
    clean = tiles[spread * len(tiles) // FIXED_SAMPLES]
    keys = [key_of(STAGE, 0, "fixed noise", index) for index in range(FIXED_SAMPLES)]
    # 13 has no factor in common with 32: neighbouring tiles get distant time steps
    quantiles = (spread * 13 % FIXED_SAMPLES + 0.5) / FIXED_SAMPLES
    return clean, noise_like(clean, keys), (quantiles * timesteps).long()


def keys_to_training_noise(
    latents: torch.Tensor, keys: Sequence[int], offset: float
) -> torch.Tensor:
    """Return the diffusion noise of samples, with a constant of each channel added if wanted.

    Parameters
    ----------
    latents : Tensor, shape (samples, channels, h, w)
        Give shape and device.
    keys : sequence of int
        One a sample.
    offset : float
        Standard deviation of the constants; 0 adds none.

    Returns
    -------
    Tensor
        Of the shape of `latents`.
    """
    noise = noise_like(latents, keys)
    if not offset:
        return noise
    constants = [key_of(STAGE, key, "offset") for key in keys]
    return noise + offset * noise_like(latents[..., :1, :1], constants)


def _half_to_draws(
    data: TrainingData, half: Half, seed: int, step: int, size: int, timesteps: int
) -> list[Draw]:
    """Return the draws of one half of the batch."""
    if half == "subject":
        sources = [Source(*subject.mean.shape[:2]) for subject in data.subjects]
    else:
        sources = [Source(len(images.latents), 1) for images in data.classes]
    if not sources:
        return []
    dropout = data.caption_dropout
    return [
        slot_to_draw(seed, half, step, slot, sources, timesteps, dropout) for slot in range(size)
    ]


def _subject_latents(data: TrainingData, draws: Sequence[Draw]) -> torch.Tensor:
    """Sample the posteriors of the drawn views of the drawn tiles."""
    subjects = [data.subjects[draw.concept] for draw in draws]
    pairs = list(zip(subjects, draws, strict=True))
    mean = torch.stack([subject.mean[draw.image, draw.view] for subject, draw in pairs])
    std = torch.stack([subject.std[draw.image, draw.view] for subject, draw in pairs])
    return mean + std * noise_like(mean, [draw.latent_key for draw in draws])
