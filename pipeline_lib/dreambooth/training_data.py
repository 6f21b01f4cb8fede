"""What training sees, in memory: latents of the concepts, class latents, prompts, batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from pipeline_lib.dreambooth.schedule import Draw, Half, Source, slot_to_draw
from pipeline_lib.models.pictures import scale_latents
from pipeline_lib.randomness import keys_to_noise
from pipeline_lib.settings import TrainedConcept, UserError, template_to_prompt

if TYPE_CHECKING:
    from pipeline_lib.models.loading import BaseModel

Tensors = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Subject:
    """One concept's pictures as scaled latents, and its prompt.

    Parameters
    ----------
    name : str
        The concept.
    prompt : str
        With the identifier.
    mean, std : torch.Tensor
        Moments of every view, (tiles, views, channels, h, w).
    validation : torch.Tensor
        Means of the validation tiles, (tiles, channels, h, w); may be none.
    """

    name: str
    prompt: str
    mean: torch.Tensor
    std: torch.Tensor
    validation: torch.Tensor


@dataclass(frozen=True)
class ClassImages:
    """Class latents of one concept, (images, channels, h, w), and their prompt."""

    prompt: str
    latents: torch.Tensor


@dataclass(frozen=True)
class TrainingData:
    """All of it, on the training's device.

    Parameters
    ----------
    subjects : tuple of Subject
        One a concept.
    classes : tuple of ClassImages
        Of the concepts that have a prior; may be none.
    """

    subjects: tuple[Subject, ...]
    classes: tuple[ClassImages, ...]

    @property
    def prompts(self) -> tuple[str, ...]:
        """The different prompts: subjects', then classes'."""
        texts = [part.prompt for part in (*self.subjects, *self.classes)]
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
    """

    latents: torch.Tensor
    noise: torch.Tensor
    timesteps: torch.Tensor
    prompts: torch.Tensor
    subjects: int

    def part(self, first: int, behind: int) -> Batch:
        """Return the samples from `first` to before `behind`."""
        chosen = slice(first, behind)
        count = len(self.latents[chosen])
        return Batch(
            latents=self.latents[chosen],
            noise=self.noise[chosen],
            timesteps=self.timesteps[chosen],
            prompts=self.prompts[chosen],
            subjects=min(count, max(0, self.subjects - first)),
        )


def assemble(
    model: BaseModel,
    concepts: Sequence[TrainedConcept],
    identifiers: Sequence[str],
    latents: Sequence[Tensors],
    priors: Mapping[str, torch.Tensor],
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

    Returns
    -------
    TrainingData
        Checked: shapes fit each other and the UNet.

    Raises
    ------
    UserError
        If there are no tiles, or shapes do not fit.
    """
    device = next(model.unet.parameters()).device
    subjects = tuple(
        _subject(model, concept, identifier, tensors, device)
        for concept, identifier, tensors in zip(concepts, identifiers, latents, strict=True)
    )
    classes = tuple(
        ClassImages(concept.class_prompt, priors[concept.class_prompt].to(device))
        for concept in concepts
        if concept.class_prompt in priors
    )
    _check_shapes(model, subjects, classes)
    return TrainingData(subjects, classes)


def _subject(
    model: BaseModel,
    concept: TrainedConcept,
    identifier: str,
    tensors: Tensors,
    device: torch.device,
) -> Subject:
    """Scale one concept's moments and fill its prompt."""
    if not len(tensors["train.mean"]):
        raise UserError(
            f"dataset {concept.dataset} has no training tiles: check the roles in samples.tsv, "
            "the dataset's tile size, and quality.tsv for refused fields."
        )
    std = tensors["train.std"] * model.vae.config.scaling_factor
    return Subject(
        name=concept.concept,
        prompt=template_to_prompt(
            concept.training_prompt, concept.modality, concept.noun, identifier
        ),
        mean=scale_latents(model, tensors["train.mean"]).to(device),
        std=std.to(device),
        validation=scale_latents(model, tensors["validation.mean"][:, 0]).to(device),
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
    data: TrainingData, seed: int, step: int, sizes: tuple[int, int], timesteps: torch.Tensor
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
    texts = [data.subjects[draw.concept].prompt for draw in subject_draws]
    texts += [data.classes[draw.concept].prompt for draw in class_draws]
    return Batch(
        latents=latents,
        noise=noise_like(latents, [draw.noise_key for draw in draws]),
        timesteps=timesteps[[draw.place for draw in draws]].to(latents.device),
        prompts=torch.tensor([data.prompts.index(text) for text in texts], device=latents.device),
        subjects=len(subject_draws),
    )


def noise_like(samples: torch.Tensor, keys: Sequence[int]) -> torch.Tensor:
    """Return the keys' noise in the samples' shape (without the first axis), on their device."""
    return torch.from_numpy(keys_to_noise(keys, samples.shape[1:])).to(samples.device)


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
    return [slot_to_draw(seed, half, step, slot, sources, timesteps) for slot in range(size)]


def _subject_latents(data: TrainingData, draws: Sequence[Draw]) -> torch.Tensor:
    """Sample the posteriors of the drawn views of the drawn tiles."""
    subjects = [data.subjects[draw.concept] for draw in draws]
    pairs = list(zip(subjects, draws, strict=True))
    mean = torch.stack([subject.mean[draw.image, draw.view] for subject, draw in pairs])
    std = torch.stack([subject.std[draw.image, draw.view] for subject, draw in pairs])
    return mean + std * noise_like(mean, [draw.latent_key for draw in draws])
