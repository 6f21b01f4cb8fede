"""DreamBooth as an objective of the training loop: what a step is made of, and its loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch

from pipeline_lib.dreambooth.judgement import (
    COLUMNS,
    Drawing,
    PictureJudge,
    Yardsticks,
    errors_to_bins,
    fixed_losses_to_figures,
    losses_to_judgement,
)
from pipeline_lib.dreambooth.losses import (
    dreambooth_loss,
    minimum_snr_weights,
    places_to_timesteps,
    signal_to_noise,
    training_target,
)
from pipeline_lib.dreambooth.training_data import (
    FIXED_SAMPLES,
    Batch,
    TrainingData,
    fixed_samples,
    make_batch,
)
from pipeline_lib.dreambooth.weights import TEXT_ENCODER, parts_to_groups, trained_weights
from pipeline_lib.models.conditioning import PromptEmbedding, encode_training_prompts
from pipeline_lib.models.denoising import predict
from pipeline_lib.models.loading import BaseModel
from pipeline_lib.models.schedulers import noise_schedule
from pipeline_lib.settings.training import TrainingSettings
from pipeline_lib.training.course import Course, read_every_on
from pipeline_lib.training.judgement import Judgement
from pipeline_lib.training.objective import Losses, Mends, WeightGroup

FIXED_BATCH = 16
HALVES = 2
LOSSES = ("loss", "subject_loss", "prior_loss")


def settings_to_threads(settings: TrainingSettings, device: torch.device) -> int:
    """Return how many pieces of a step are worked on at once: two halves on a processor.

    Not where the settings ask for pieces in turn, for less memory or for a compiled network.
    """
    plain = settings.accumulation == 1 and not (settings.gradient_checkpointing or settings.compile)
    parted = plain and settings.batch_size > 1 and torch.get_num_threads() > 1
    return HALVES if parted and device.type == "cpu" else 1


def settings_to_course(
    settings: TrainingSettings, device: torch.device, pictures_judged: bool = False
) -> Course:
    """Return the course that the settings ask for; pictures are judged before it begins, too."""
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
        threads=settings_to_threads(settings, device),
        read_every=read_every_on(device.type),
        saves_beside=device.type != "cpu",
    )


class DreamBooth:
    """Subjects bound to identifiers, with prior preservation (arXiv 2208.12242).

    Parameters
    ----------
    model : BaseModel
        Trained in place; what is trained of it has float32 weights.
    data : TrainingData
        What it is trained on.
    settings : TrainingSettings
        How.
    dtype : torch.dtype
        What the training computes in.
    yardsticks : Yardsticks, optional
        By which its pictures are judged, beside losses.

    Raises
    ------
    UserError
        If a prompt is too long for the text encoder.
    """

    columns = (*LOSSES, *COLUMNS)

    def __init__(
        self,
        model: BaseModel,
        data: TrainingData,
        settings: TrainingSettings,
        dtype: torch.dtype = torch.float32,
        yardsticks: Yardsticks | None = None,
    ) -> None:
        self.model, self.data, self.settings = model, data, settings
        self.schedule = noise_schedule(model.scheduler_config)
        self.timesteps = places_to_timesteps(self.schedule, settings.timesteps)
        self.groups: Mapping[str, WeightGroup] = parts_to_groups(
            trained_weights(model, settings), settings
        )
        self.size = data.subjects[0].mean.shape[-1] * model.description.downsampling
        with torch.no_grad():  # also refuses prompts that are too long before anything is trained
            embedding = encode_training_prompts(model, data.prompts)
        self._frozen_embedding = None if TEXT_ENCODER in self.groups else embedding
        self.drawing = Drawing(model, self.size, settings.seed, settings.preview_guidance, dtype)
        prompts = {subject.name: subject.prompt for subject in data.subjects}
        self._picture_judge = (
            None
            if yardsticks is None
            else PictureJudge(self.drawing, prompts, yardsticks, settings.judge_count)
        )

    @property
    def batch_sizes(self) -> tuple[int, int]:
        """Subject and class samples of a step."""
        return self.settings.batch_size, self.settings.class_batch if self.data.classes else 0

    @property
    def mends(self) -> Mends:
        """The settings to change where the training fails."""
        settings, (subjects, classes) = self.settings, self.batch_sizes
        return Mends(
            divergence=f"Lower training.learning_rate (now {settings.learning_rate:g}) or "
            f"text_encoder_learning_rate (now {settings.text_encoder_learning_rate:g}), raise "
            "warmup_steps, or set precision: float32.",
            memory=f"A step has {subjects} subject and {classes} class images in "
            f"{settings.accumulation} pieces: raise training.accumulation, set "
            "gradient_checkpointing: true, lower training.batch_size and prior_batch_size, set "
            "method: lora, or take a machine with more memory.",
        )

    def step_to_pieces(self, step: int) -> Sequence[Batch]:
        """Return the samples of a step in pieces."""
        settings = self.settings
        batch = make_batch(
            self.data,
            settings.seed,
            step,
            self.batch_sizes,
            self.timesteps,
            settings.offset_noise,
        )
        at_once = settings_to_threads(settings, self.model.device)
        return batch.pieces(max(settings.accumulation, at_once))

    def piece_to_losses(self, piece: Batch) -> Losses:
        """Return a piece's share of the step's losses."""
        prediction, target = self._predict(piece)
        losses = dreambooth_loss(
            prediction,
            target,
            piece.subjects,
            self.settings.prior_weight,
            self._weights(piece),
            self.batch_sizes,
        )
        return dict(zip(LOSSES, losses, strict=True))

    def _weights(self, piece: Batch) -> torch.Tensor | None:
        """Return the weight of each sample's error."""
        if self.settings.minimum_snr_gamma is None:
            return piece.weights
        ratios = signal_to_noise(self.schedule, piece.timesteps)
        kind = self.schedule.config.prediction_type
        capped = minimum_snr_weights(ratios, self.settings.minimum_snr_gamma, kind)
        return capped if piece.weights is None else capped * piece.weights

    def _embedding(self, prompts: torch.Tensor) -> PromptEmbedding:
        """Return the embeddings of the samples' prompts; encoded anew while they change."""
        if self._frozen_embedding is not None:
            return self._frozen_embedding.chosen(prompts)
        used, places = torch.unique(prompts, return_inverse=True)
        texts = [self.data.prompts[number] for number in used.tolist()]
        return encode_training_prompts(self.model, texts).chosen(places)

    def _predict(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Add the noise, and return the network's answer and the right one."""
        noisy = self.schedule.add_noise(batch.latents, batch.noise, batch.timesteps)
        embedding = self._embedding(batch.prompts)
        prediction = predict(self.model, noisy, batch.timesteps, embedding, self.size)
        target = training_target(self.schedule, batch.latents, batch.noise, batch.timesteps)
        return prediction, target

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

        Each has the same time steps, spread evenly, and the same noise at every call and for both
        kinds of tiles, so that two figures of one column, or of the two, can be compared.

        Returns
        -------
        dict
            ``train_loss`` and, if there are validation tiles, ``validation_loss``, means over the
            concepts; and each by quarter of the time steps, the least noise first.
        """
        stacks = {
            "train_loss": [subject.mean[:, 0] for subject in self.data.subjects],
            "validation_loss": [subject.validation for subject in self.data.subjects],
        }
        prompts = [self.data.prompts.index(subject.prompt) for subject in self.data.subjects]
        losses = {
            name: [
                self._fixed_losses(tiles, prompt)
                for tiles, prompt in zip(kinds, prompts, strict=True)
                if len(tiles)
            ]
            for name, kinds in stacks.items()
        }
        return fixed_losses_to_figures(losses)

    def _fixed_losses(self, tiles: torch.Tensor, prompt: int) -> list[float]:
        """Return the loss on fixed samples of some tiles, of all and by quarter."""
        latents, noise, timesteps = fixed_samples(tiles, len(self.schedule))
        prompts = torch.full_like(timesteps, prompt)
        whole = Batch(latents, noise, timesteps, prompts, subjects=FIXED_SAMPLES)
        errors, places = [], []
        for piece in whole.pieces(FIXED_SAMPLES // FIXED_BATCH):
            prediction, target = self._predict(piece)
            errors.append((prediction - target).square().flatten(1).mean(1))
            places.append(piece.timesteps / len(self.schedule))
        every, at = (torch.cat(parts).double().cpu().numpy() for parts in (errors, places))
        return [float(every.mean()), *errors_to_bins(every, at)]

    def draw_previews(self) -> dict[str, npt.NDArray[np.uint8]]:
        """Draw pictures of each concept, from keys that never change.

        Returns
        -------
        dict of ndarray
            Grey pictures (N, Y, X) by concept; `preview_count` is shared out among the concepts.
        """
        return {
            subject.name: self.drawing.draw(subject.prompt, self._previews_each)
            for subject in self.data.subjects
        }

    @property
    def _previews_each(self) -> int:
        """Return the number of previews of a concept."""
        return max(1, self.settings.preview_count // len(self.data.subjects))
