"""A diffusion model without prompts as an objective of the training loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from pipeline_lib.dreambooth.judgement import (
    COLUMNS,
    PictureJudge,
    Yardsticks,
    errors_to_bins,
    fixed_losses_to_figures,
    losses_to_judgement,
)
from pipeline_lib.dreambooth.losses import places_to_timesteps, training_target
from pipeline_lib.dreambooth.schedule import Draw, slot_to_draw
from pipeline_lib.dreambooth.training_data import fixed_samples, noise_like
from pipeline_lib.from_scratch.drawing import LabelledDrawing
from pipeline_lib.from_scratch.inputs import ScratchInputs, inputs_to_labels
from pipeline_lib.from_scratch.network import network_to_groups
from pipeline_lib.models.schedulers import noise_schedule
from pipeline_lib.models.unconditional import UnconditionalModel, predict_unconditional
from pipeline_lib.settings.from_scratch import ScratchSettings
from pipeline_lib.training.course import Course, read_every_on
from pipeline_lib.training.judgement import Judgement
from pipeline_lib.training.objective import LOSS, Losses, Mends

FIXED_AT_ONCE = 16


def settings_to_course(
    settings: ScratchSettings, device: torch.device, pictures_judged: bool = False
) -> Course:
    """Return the course that the settings ask for; on processors pieces are worked on at once."""
    on_processor = device.type == "cpu"
    return Course(
        steps=settings.steps,
        warmup_steps=settings.warmup_steps,
        constant_share=settings.constant_share,
        gradient_clip=settings.gradient_clip,
        ema_decay=settings.ema_decay,
        checkpoint_every=settings.checkpoint_every,
        preview_every=settings.preview_every,
        judge_every=settings.judge_every,
        judge_start=pictures_judged,
        keep_best=settings.keep == "best",
        threads=settings.accumulation if on_processor else 1,
        read_every=read_every_on(device.type),
        saves_beside=not on_processor,
    )


@dataclass(frozen=True)
class Batch:
    """Samples of a step: noised values, what to predict of them, their time steps and labels."""

    noisy: torch.Tensor
    velocity: torch.Tensor
    timesteps: torch.Tensor
    labels: torch.Tensor | None

    def pieces(self, number: int) -> list[Batch]:
        """Return every so-manieth sample, so that all pieces hold all noise levels."""
        labels = self.labels
        return [
            Batch(
                self.noisy[first::number],
                self.velocity[first::number],
                self.timesteps[first::number],
                None if labels is None else labels[first::number],
            )
            for first in range(number)
        ]


class FromScratch:
    """Tiles of one or several concepts, told apart by labels, learned without any base model.

    Parameters
    ----------
    model : UnconditionalModel
        Its network is trained in place, from float32 weights.
    inputs : sequence of ScratchInputs
        In order.
    size : int
        Side of the tiles in pixels.
    settings : ScratchSettings
        How.
    dtype : torch.dtype
        What the training computes in.
    yardsticks : Yardsticks, optional
        By which its pictures are judged, beside losses.
    """

    columns = (LOSS, *COLUMNS)

    def __init__(
        self,
        model: UnconditionalModel,
        inputs: Sequence[ScratchInputs],
        size: int,
        settings: ScratchSettings,
        dtype: torch.dtype = torch.float32,
        yardsticks: Yardsticks | None = None,
    ) -> None:
        self.model, self.inputs, self.settings = model, inputs, settings
        self.coding = model.pixels or model
        self.schedule = noise_schedule(model.scheduler_config)
        self.timesteps = places_to_timesteps(self.schedule, settings.timesteps)
        self.groups = network_to_groups(model.unet, settings)
        self.sources = [one.tiles.source() for one in inputs]
        labels = inputs_to_labels(inputs)
        self.drawing = LabelledDrawing(model, labels, size, settings.seed, dtype)
        names = {name: name for name in labels}
        self._picture_judge = (
            None
            if yardsticks is None
            else PictureJudge(self.drawing, names, yardsticks, settings.judge_count)
        )

    @property
    def mends(self) -> Mends:
        """The settings to change where the training fails."""
        ours = self.settings
        return Mends(
            divergence=f"Lower from_scratch.matrix_rate (now {ours.matrix_rate:g}) and "
            f"learning_rate (now {ours.learning_rate:g}), raise warmup_steps, or set precision: "
            "float32.",
            memory=f"A step has {ours.batch_size} tiles in {ours.accumulation} pieces: raise "
            "from_scratch.accumulation, set gradient_checkpointing: true, lower batch_size or "
            "channels, raise patch, or take a machine with more memory.",
        )

    def step_to_pieces(self, step: int) -> Sequence[Batch]:
        """Return the samples of a step in pieces."""
        seed, places = self.settings.seed, len(self.timesteps)
        draws = [
            slot_to_draw(seed, "subject", step, slot, self.sources, places)
            for slot in range(self.settings.batch_size)
        ]
        return self._draws_to_batch(draws).pieces(self.settings.accumulation)

    def _draws_to_batch(self, draws: Sequence[Draw]) -> Batch:
        """Return drawn tiles with their noise."""
        device = self.model.device
        clean = torch.stack(
            [self.inputs[draw.concept].tiles.drawn(draw, self.coding) for draw in draws]
        ).to(device)
        noise = noise_like(clean, [draw.noise_key for draw in draws])
        timesteps = self.timesteps[[draw.place for draw in draws]].to(device)
        labels = torch.tensor([draw.concept for draw in draws], device=device)
        return self._batch(clean, noise, timesteps, labels)

    def _batch(
        self,
        clean: torch.Tensor,
        noise: torch.Tensor,
        timesteps: torch.Tensor,
        labels: torch.Tensor,
    ) -> Batch:
        """Add noise to clean values; labels go where there is one concept alone."""
        return Batch(
            self.schedule.add_noise(clean, noise, timesteps),
            training_target(self.schedule, clean, noise, timesteps),
            timesteps,
            labels if len(self.inputs) > 1 else None,
        )

    def _errors(self, batch: Batch) -> torch.Tensor:
        """Return the mean squared error of each sample's velocity."""
        predicted = predict_unconditional(
            self.model.unet, batch.noisy, batch.timesteps, batch.labels
        )
        return (predicted - batch.velocity).square().flatten(1).mean(1)

    def piece_to_losses(self, piece: Batch) -> Losses:
        """Return a piece's share of the step's loss."""
        return {LOSS: self._errors(piece).sum() / self.settings.batch_size}

    def judge(self) -> Judgement:
        """Return losses on fixed samples and, where there are yardsticks, what these say.

        Returns
        -------
        Judgement
            `preview_count` of its pictures, shared out among the concepts, are kept as previews.
        """
        return losses_to_judgement(self.fixed_losses(), self._picture_judge, self._previews_each)

    @torch.no_grad()
    def fixed_losses(self) -> dict[str, float]:
        """Return the loss on fixed samples of training and validation tiles.

        Returns
        -------
        dict
            ``train_loss`` and, if there are validation tiles, ``validation_loss``, means over the
            concepts; and each by quarter of the time steps, the least noise first.
        """
        losses: dict[str, list[list[float]]] = {"train_loss": [], "validation_loss": []}
        for label, one in enumerate(self.inputs):
            for role, tiles in one.tiles.plain(self.coding).items():
                if len(tiles):
                    losses[f"{role}_loss"].append(self._fixed_losses(tiles, label))
        return fixed_losses_to_figures(losses)

    def _fixed_losses(self, tiles: torch.Tensor, label: int) -> list[float]:
        """Return the loss on fixed samples of some tiles, of all and by quarter."""
        samples = fixed_samples(tiles, len(self.schedule))
        clean, noise, timesteps = (part.to(self.model.device) for part in samples)
        whole = self._batch(clean, noise, timesteps, torch.full_like(timesteps, label))
        pieces = whole.pieces(len(clean) // FIXED_AT_ONCE)
        errors = torch.cat([self._errors(piece) for piece in pieces]).double().cpu().numpy()
        at = torch.cat([piece.timesteps for piece in pieces]).cpu().numpy() / len(self.schedule)
        return [float(errors.mean()), *errors_to_bins(errors, at)]

    def draw_previews(self) -> dict[str, npt.NDArray[np.uint8]]:
        """Draw pictures of each concept, from keys that never change.

        Returns
        -------
        dict of ndarray
            Grey pictures (N, Y, X) by concept; `preview_count` is shared out among the concepts.
        """
        return {
            name: self.drawing.draw(name, self._previews_each)
            for name in inputs_to_labels(self.inputs)
        }

    @property
    def _previews_each(self) -> int:
        """Return the number of previews of a concept."""
        return max(1, self.settings.preview_count // len(self.inputs))
