"""The UNet and the text encoder, trained together on latents and captions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch.nn import functional
from transformers import CLIPTextModel, CLIPTokenizer

from pipeline_lib.models.recipe.autoencoder import pictures_to_scale
from pipeline_lib.models.recipe.batches import Batch, draw_batch
from pipeline_lib.models.recipe.networks import (
    recipe_to_scheduler,
    recipe_to_text_encoder,
    recipe_to_unet,
)
from pipeline_lib.models.recipe.pictures import ByteStack, CaptionedPictures
from pipeline_lib.models.recipe.settings import DenoiserRecipe, Recipe
from pipeline_lib.models.recipe.trainers import recipe_to_trainer, undecayed_names
from pipeline_lib.settings.base import UserError
from pipeline_lib.training.objective import Losses, Mends, WeightGroup, Weights
from pipeline_lib.training.running import run_training
from pipeline_lib.training.trainer import Trainer

BETAS = (0.9, 0.99)
OUTER = ("conv_in", "conv_out", "class_embedding")
PROGRESS_PICTURES, PROGRESS_STEPS = 4, 12


class DenoiserObjective:
    """A UNet that predicts velocities, and the text encoder that it reads, from captioned pictures.

    With `low_resolution` in the recipe the UNet is an upscaler's: it sees the small picture, too.

    Parameters
    ----------
    recipe : Recipe
        All settings.
    pictures : CaptionedPictures
        What is learnt from.
    tokenizer : CLIPTokenizer
        Reads the captions.
    autoencoder : AutoencoderKL, optional
        Decodes the previews; none are drawn without.
    text_encoder : CLIPTextModel, optional
        A finished one, which stays as it is; without, a new one is trained beside the UNet.
    """

    columns = ("loss",)
    mends = Mends(
        divergence="Lower denoiser.matrix_rate and denoiser.learning_rate.",
        memory="Lower denoiser.batch.",
    )

    def __init__(
        self,
        recipe: Recipe,
        pictures: CaptionedPictures,
        tokenizer: CLIPTokenizer,
        autoencoder: AutoencoderKL | None = None,
        text_encoder: CLIPTextModel | None = None,
    ) -> None:
        self.recipe, self.pictures, self.tokenizer = recipe, pictures, tokenizer
        self.autoencoder = autoencoder
        ours = recipe.denoiser
        self.unet = recipe_to_unet(recipe).to(recipe.device)
        if text_encoder is None:
            text_encoder = recipe_to_text_encoder(ours, tokenizer).train()
        else:
            refuse_other_width(text_encoder, ours)
            text_encoder.requires_grad_(False)
        self.text_encoder = text_encoder.to(recipe.device)
        self.scale = pictures_to_scale(recipe.autoencoder, pictures.images)
        self.kept = recipe_to_scheduler(ours).alphas_cumprod
        self.groups = self._groups()

    def _groups(self) -> dict[str, WeightGroup]:
        """Return the UNet's matrices and filters for Muon, and all else for AdamW."""
        ours = self.recipe.denoiser
        unet = {f"unet.{name}": one for name, one in self.unet.named_parameters()}
        text = {
            f"text_encoder.{name}": one
            for name, one in self.text_encoder.named_parameters()
            if one.requires_grad
        }
        inner = inner_matrices(unet)
        groups = {
            name: WeightGroup(share, ours.matrix_rate, "muon", ours.weight_decay)
            for name, share in equal_shares(inner, self.recipe.parts).items()
        }
        outer = {name: one for name, one in unet.items() if name not in inner}
        rates = {"unet": 1.0, "text_encoder": ours.text_rate_share}
        for part, weights in {"unet": outer, **({"text_encoder": text} if text else {})}.items():
            groups[part] = WeightGroup(
                weights,
                ours.learning_rate * rates[part],
                "adamw",
                ours.weight_decay,
                BETAS,
                undecayed_names(weights),
            )
        return groups

    def step_to_pieces(self, step: int) -> Sequence[Batch]:
        """Return the samples of a step in equal shares."""
        batch = draw_batch(self.recipe, self.pictures, self.scale, self.tokenizer, self.kept, step)
        return batch.pieces(self.recipe.parts)

    def piece_to_losses(self, piece: Batch) -> Losses:
        """Return a piece's share of the velocity's mean squared error."""
        device = self.recipe.device
        prompts = self.text_encoder(piece.tokens.to(device))[0]
        levels = None if piece.levels is None else piece.levels.to(device)
        predicted = self.unet(
            piece.inputs.to(device), piece.timesteps.to(device), prompts, class_labels=levels
        ).sample.float()
        return {
            "loss": functional.mse_loss(predicted, piece.velocity.to(device)) / self.recipe.parts
        }

    def judge(self) -> dict[str, float]:
        """Return nothing: the benchmark of the base model judges its pictures."""
        return {}

    def draw_previews(self) -> dict[str, ByteStack]:
        """Draw pictures of every kind, or enlarge some; none where there is no autoencoder."""
        if self.autoencoder is None:
            return {}
        from pipeline_lib.models.recipe.checking import draw_kinds, enlarge_some
        from pipeline_lib.models.recipe.pipelines import parts_to_pipeline

        device = torch.device(self.recipe.device)
        with torch.autocast(device.type, enabled=False):
            pipeline = parts_to_pipeline(
                self.recipe, self.autoencoder, self.unet, self.text_encoder, self.tokenizer
            ).to(device)
            pipeline.set_progress_bar_config(disable=True)
            if self.recipe.low_resolution is not None:
                return enlarge_some(pipeline, self.recipe, PROGRESS_PICTURES, PROGRESS_STEPS)
            drawn = draw_kinds(
                pipeline, self.recipe.pictures.size, PROGRESS_PICTURES, PROGRESS_STEPS
            )
        return {_name(prompt): stack for prompt, stack in drawn.items()}


def _name(prompt: str) -> str:
    """Return a prompt as a part of a file's name."""
    return re.sub(r"[^a-z0-9]+", "-", prompt.lower()).strip("-") or "empty"


def denoiser_trainer(
    recipe: Recipe,
    pictures: CaptionedPictures,
    tokenizer: CLIPTokenizer,
    autoencoder: AutoencoderKL | None = None,
    text_encoder: CLIPTextModel | None = None,
) -> Trainer:
    """Return the loop's trainer of an untrained UNet, and of a text encoder unless one is given."""
    ours = recipe.denoiser
    objective = DenoiserObjective(recipe, pictures, tokenizer, autoencoder, text_encoder)
    return recipe_to_trainer(recipe, objective, ours.steps, ours.warmup, ours.ema_decay)


def train_denoiser(
    recipe: Recipe,
    pictures: CaptionedPictures,
    tokenizer: CLIPTokenizer,
    folder: Path,
    autoencoder: AutoencoderKL | None = None,
    text_encoder: CLIPTextModel | None = None,
) -> Trainer:
    """Train UNet and text encoder, or go on with them.

    Parameters
    ----------
    recipe : Recipe
        All settings.
    pictures : CaptionedPictures
        What is learnt from.
    tokenizer : CLIPTokenizer
        Reads the captions.
    folder : Path
        Of the training's state.
    autoencoder : AutoencoderKL, optional
        Decodes pictures to look at, drawn every so many steps as the recipe says.
    text_encoder : CLIPTextModel, optional
        A finished one, which is not trained.

    Returns
    -------
    Trainer
        At its end; the models to use are the averaged ones.
    """
    trainer = denoiser_trainer(recipe, pictures, tokenizer, autoencoder, text_encoder)
    run_training(trainer, folder, "denoiser")
    return trainer


def inner_matrices(unet: Weights) -> Weights:
    """Return all of a UNet's matrices and filters but those of its first and last convolution.

    Parameters
    ----------
    unet : dict
        Its weights by name, after ``unet.``.

    Returns
    -------
    dict
        What Muon trains; a table of labels, whose rows are no outputs, is not among it.
    """
    return {
        name: weight
        for name, weight in unet.items()
        if weight.ndim >= 2 and name.split(".")[1] not in OUTER
    }


def equal_shares(matrices: Weights, number: int) -> dict[str, Weights]:
    """Share matrices out by their size, so that threads work on them for the same time.

    Parameters
    ----------
    matrices : dict
        By name.
    number : int
        Of shares.

    Returns
    -------
    dict of dict
        ``matrices_0`` and so on.
    """
    largest_first = sorted(matrices, key=lambda name: -matrices[name].numel())
    return {
        f"matrices_{share}": {name: matrices[name] for name in largest_first[share::number]}
        for share in range(number)
    }


def refuse_other_width(text_encoder: CLIPTextModel, recipe: DenoiserRecipe) -> None:
    """Refuse a text encoder whose words are of another width than the UNet attends to."""
    if text_encoder.config.hidden_size != recipe.text_width:
        raise UserError(
            f"the text encoder's words are {text_encoder.config.hidden_size} wide, the UNet "
            f"attends to {recipe.text_width}: set denoiser.text_width"
        )
