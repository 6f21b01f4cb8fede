"""The trainer: weights, optimizer and average, and what one step does to them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager

import numpy as np
import numpy.typing as npt
import torch

from pipeline_lib.dreambooth.losses import (
    dreambooth_loss,
    noise_schedule,
    places_to_timesteps,
    training_target,
)
from pipeline_lib.dreambooth.optimisation import (
    MovingAverage,
    clip_gradients,
    flat_weights,
    make_optimizer,
    optimizer_to_tensors,
    set_learning_rates,
    step_to_share,
    tensors_to_optimizer,
    trained_weights,
)
from pipeline_lib.dreambooth.schedule import STAGE
from pipeline_lib.dreambooth.training_data import Batch, TrainingData, make_batch, noise_like
from pipeline_lib.models.conditioning import PromptEmbedding, encode_prompts
from pipeline_lib.models.denoising import draw_batches, predict
from pipeline_lib.models.loading import BaseModel, precision_to_dtype
from pipeline_lib.models.pictures import latents_to_images, rgb_to_grey
from pipeline_lib.randomness import key_of
from pipeline_lib.settings import SamplerSettings, TrainingSettings, UserError

FIXED_SAMPLES, FIXED_BATCH = 32, 16
PREVIEW_SAMPLER = SamplerSettings(steps=10, guidance=3.0)
WEIGHTS, AVERAGES = "weights", "averages"


class DivergenceError(ArithmeticError):
    """The loss or the gradient is not a finite number; the weights were not changed."""


class Trainer:
    """A model in training, everything on one device.

    Parameters
    ----------
    model : BaseModel
        Trained in place; float32 weights.
    data : TrainingData
        What it is trained on.
    settings : TrainingSettings
        How.

    Raises
    ------
    UserError
        If the precision needs what training does not have.
    """

    def __init__(self, model: BaseModel, data: TrainingData, settings: TrainingSettings) -> None:
        self.model, self.data, self.settings = model, data, settings
        self.dtype = _training_dtype(settings, model.device)
        self.schedule = noise_schedule(model.scheduler_config)
        self.timesteps = places_to_timesteps(self.schedule, settings.timesteps)
        parts = trained_weights(model, settings)
        self.weights = flat_weights(parts)
        self.optimizer = make_optimizer(parts, settings)
        self.average = MovingAverage(self.weights, settings.ema_decay)
        self.size = data.subjects[0].mean.shape[-1] * model.description.downsampling
        with torch.no_grad():  # also refuses prompts that are too long before anything is trained
            embedding = encode_prompts(model, data.prompts)
        self._frozen_embedding = None if "text_encoder" in parts else embedding

    @property
    def batch_sizes(self) -> tuple[int, int]:
        """Subject and class samples of a step."""
        subjects = self.settings.batch_size
        if not self.data.classes:
            return subjects, 0
        return subjects, self.settings.prior_batch_size or subjects

    def make_step(self, step: int) -> dict[str, float]:
        """Make step number `step`, counted from 0.

        Parameters
        ----------
        step : int
            Decides rates and samples; with the state it decides the result.

        Returns
        -------
        dict
            Losses, rates and the gradient's norm, by the history's column names.

        Raises
        ------
        DivergenceError
            If loss or gradient are not finite; weights, optimizer and average are as before.
        """
        rates = set_learning_rates(self.optimizer, step_to_share(step, self.settings))
        batch = make_batch(self.data, self.settings.seed, step, self.batch_sizes, self.timesteps)
        prediction, target = self._predict(batch, self._embedding())
        losses = dreambooth_loss(prediction, target, batch.subjects, self.settings.prior_weight)
        losses.total.backward()
        norm = clip_gradients(self.weights, self.settings.gradient_clip)
        figures = torch.stack([*losses, norm]).tolist()
        if not np.isfinite(figures).all():
            self.optimizer.zero_grad()
            raise DivergenceError(
                f"loss {figures[0]}, gradient norm {figures[3]} at step {step + 1}"
            )
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.average.update(step)
        names = ("loss", "subject_loss", "prior_loss", "gradient_norm")
        return {
            **dict(zip(names, figures, strict=True)),
            "learning_rate": rates["unet"],
            "text_encoder_learning_rate": rates.get("text_encoder", 0.0),
        }

    def _embedding(self) -> PromptEmbedding:
        """Return the embeddings of the different prompts; encoded anew while they change."""
        if self._frozen_embedding is not None:
            return self._frozen_embedding
        with self._autocast():
            return encode_prompts(self.model, self.data.prompts)

    def _predict(
        self, batch: Batch, embedding: PromptEmbedding
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add the noise, and return the network's answer and the right one."""
        noisy = self.schedule.add_noise(batch.latents, batch.noise, batch.timesteps)
        chosen = embedding.chosen(batch.prompts)
        with self._autocast():
            prediction = predict(self.model, noisy, batch.timesteps, chosen, self.size)
        target = training_target(self.schedule, batch.latents, batch.noise, batch.timesteps)
        return prediction, target

    def _autocast(self) -> AbstractContextManager[None]:
        """Return the context in which the network computes in the training's precision."""
        reduced = self.dtype != torch.float32
        return torch.autocast(self.model.device.type, self.dtype, enabled=reduced)

    @torch.no_grad()
    def fixed_losses(self) -> dict[str, float]:
        """Return the averaged weights' loss on fixed samples of training and validation tiles.

        Each has the same time steps, spread evenly, and the same noise at every call and for both
        kinds of tiles, so that two figures of one column, or of the two, can be compared.

        Returns
        -------
        dict
            ``train_loss`` and, if there are validation tiles, ``validation_loss``, means over the
            concepts.
        """
        kinds = {
            "train_loss": [subject.mean[:, 0] for subject in self.data.subjects],
            "validation_loss": [subject.validation for subject in self.data.subjects],
        }
        with self.average.applied():
            embedding = self._embedding()
            return {
                name: float(
                    np.mean(
                        [
                            self._fixed_loss(
                                tiles, self.data.prompts.index(subject.prompt), embedding
                            )
                            for tiles, subject in zip(stacks, self.data.subjects, strict=True)
                            if len(tiles)
                        ]
                    )
                )
                for name, stacks in kinds.items()
                if any(len(tiles) for tiles in stacks)
            }

    def _fixed_loss(self, tiles: torch.Tensor, prompt: int, embedding: PromptEmbedding) -> float:
        """Return the loss on fixed samples of some tiles."""
        spread = torch.arange(FIXED_SAMPLES, device=tiles.device)
        latents = tiles[spread * len(tiles) // FIXED_SAMPLES]
        keys = [key_of(STAGE, 0, "fixed noise", index) for index in range(FIXED_SAMPLES)]
        # 13 has no factor in common with 32: neighbouring tiles get distant time steps
        quantiles = (spread * 13 % FIXED_SAMPLES + 0.5) / FIXED_SAMPLES
        whole = Batch(
            latents=latents,
            noise=noise_like(latents, keys),
            timesteps=(quantiles * len(self.schedule)).long(),
            prompts=torch.full_like(spread, prompt),
            subjects=FIXED_SAMPLES,
        )
        errors = []
        for first in range(0, FIXED_SAMPLES, FIXED_BATCH):
            part = whole.part(first, first + FIXED_BATCH)
            prediction, target = self._predict(part, embedding)
            errors.append((prediction - target).square().flatten(1).mean(1))
        return float(torch.cat(errors).mean())

    @torch.no_grad()
    def previews(self) -> dict[str, npt.NDArray[np.uint8]]:
        """Draw pictures of each concept with the averaged weights, from keys that never change.

        Returns
        -------
        dict of ndarray
            Grey pictures (N, Y, X) by concept; `preview_count` is shared out among the concepts.
        """
        count = max(1, self.settings.preview_count // len(self.data.subjects))
        pictures = {}
        with self.average.applied():
            for subject in self.data.subjects:
                keys = [
                    key_of("preview", self.settings.seed, subject.name, k) for k in range(count)
                ]
                with self._autocast():  # not the autoencoder: half precision costs grey levels
                    latents = torch.cat(
                        [
                            *draw_batches(
                                self.model, subject.prompt, keys, PREVIEW_SAMPLER, self.size, count
                            )
                        ]
                    )
                pictures[subject.name] = rgb_to_grey(latents_to_images(self.model, latents))
        return pictures

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return all that a checkpoint needs, by ``KIND/NAME``: references, not copies."""
        return {
            **{f"{WEIGHTS}/{name}": weight for name, weight in self.weights.items()},
            **{f"{AVERAGES}/{name}": mean for name, mean in self.average.averages.items()},
            **optimizer_to_tensors(self.optimizer, self.weights),
        }

    @torch.no_grad()
    def load(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Put what `tensors` returned back, bit for bit."""
        kinds: dict[str, dict[str, torch.Tensor]] = {WEIGHTS: {}, AVERAGES: {}}
        moments = {}
        for key, tensor in tensors.items():
            kind, name = key.split("/", 1)
            if kind in kinds:
                kinds[kind][name] = tensor
            else:
                moments[key] = tensor
        for name, tensor in kinds[WEIGHTS].items():
            self.weights[name].copy_(tensor)
        self.average.load(kinds[AVERAGES])
        tensors_to_optimizer(moments, self.optimizer, self.weights)


def _training_dtype(settings: TrainingSettings, device: torch.device) -> torch.dtype:
    """Return the precision that the network computes in; float16 would need loss scaling."""
    dtype = precision_to_dtype(settings.precision, device)
    if dtype != torch.float16:
        return dtype
    if settings.precision == "auto":
        return torch.float32
    raise UserError(
        "training.precision float16 is not trained in: its small gradients vanish. Set it to "
        "bfloat16 or float32."
    )
