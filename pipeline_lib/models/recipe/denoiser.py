"""The UNet and the text encoder, trained together on cached latents and captions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from pipeline_lib.models.recipe.autoencoder import bytes_to_grey, pictures_to_scale
from pipeline_lib.models.recipe.captions import vary_caption
from pipeline_lib.models.recipe.cosines import CELL, LatentScale, pictures_to_latents
from pipeline_lib.models.recipe.pictures import WAYS, ByteStack, CaptionedPictures, turn_picture
from pipeline_lib.models.recipe.settings import LATENT_CHANNELS, DenoiserRecipe, Recipe
from pipeline_lib.models.recipe.trainers import recipe_to_trainer, undecayed_names
from pipeline_lib.models.timesteps import spread_by_log_snr
from pipeline_lib.training.objective import Losses, Mends, WeightGroup, Weights
from pipeline_lib.training.running import run_training
from pipeline_lib.training.trainer import Trainer

BETAS = (0.9, 0.99)
WORD_DEVIATION = 0.3


@dataclass(frozen=True)
class Batch:
    """The inputs of one step: noised latents, timesteps, token ids, and what to predict."""

    latents: Tensor
    timesteps: Tensor
    tokens: Tensor
    velocity: Tensor

    def pieces(self, number: int) -> list[Batch]:
        """Return every so-manieth sample, so that all pieces hold all noise levels."""
        parts = (self.latents, self.timesteps, self.tokens, self.velocity)
        return [Batch(*(part[first::number] for part in parts)) for first in range(number)]


def recipe_to_unet(recipe: DenoiserRecipe, size: int) -> UNet2DConditionModel:
    """Build an untrained UNet.

    Parameters
    ----------
    recipe : DenoiserRecipe
        Architecture and seed.
    size : int
        Usual side of a picture in pixels.

    Returns
    -------
    UNet2DConditionModel
        Attends to prompts at the resolutions that the recipe says.
    """
    torch.manual_seed(recipe.seed)
    down = ["CrossAttnDownBlock2D" if wanted else "DownBlock2D" for wanted in recipe.attention]
    up = ["CrossAttnUpBlock2D" if wanted else "UpBlock2D" for wanted in recipe.attention[::-1]]
    return UNet2DConditionModel(
        sample_size=size // CELL,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        block_out_channels=recipe.channels,
        layers_per_block=recipe.blocks,
        down_block_types=tuple(down),
        up_block_types=tuple(up),
        attention_head_dim=recipe.attention_heads,
        cross_attention_dim=recipe.text_width,
        norm_num_groups=recipe.norm_groups,
    )


def recipe_to_text_encoder(recipe: DenoiserRecipe, tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """Build an untrained text encoder.

    Parameters
    ----------
    recipe : DenoiserRecipe
        Architecture and seed.
    tokenizer : CLIPTokenizer
        Whose tokens it reads.

    Returns
    -------
    CLIPTextModel
        Of CLIP's architecture.
    """
    torch.manual_seed(recipe.seed + 1)
    configuration = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=recipe.text_width,
        intermediate_size=4 * recipe.text_width,
        projection_dim=recipe.text_width,
        num_hidden_layers=recipe.text_layers,
        num_attention_heads=recipe.text_heads,
        max_position_embeddings=tokenizer.model_max_length,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    encoder = CLIPTextModel(configuration)
    # With CLIP's own first deviations, 0.02 for words and for places, the places, which every
    # caption trains, drown the words within a thousand steps, and all prompts become one.
    with torch.no_grad():
        encoder.get_input_embeddings().weight.normal_(std=WORD_DEVIATION)
    return encoder


def recipe_to_scheduler(recipe: DenoiserRecipe) -> DDIMScheduler:
    """Return the noise schedule: Stable Diffusion's, rescaled to end in pure noise.

    Parameters
    ----------
    recipe : DenoiserRecipe
        Number of noise levels.

    Returns
    -------
    DDIMScheduler
        Velocity prediction, zero terminal signal and trailing timesteps (Lin et al., arXiv
        2305.08891), without which no picture can be all bright or all dark.
    """
    return DDIMScheduler(
        num_train_timesteps=recipe.train_timesteps,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=0,
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        rescale_betas_zero_snr=True,
    )


class DenoiserObjective:
    """A UNet that predicts velocities, and the text encoder that it reads, from captioned pictures.

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
    ) -> None:
        self.recipe, self.pictures, self.tokenizer = recipe, pictures, tokenizer
        self.autoencoder = autoencoder
        ours = recipe.denoiser
        self.unet = recipe_to_unet(ours, recipe.pictures.size).to(recipe.device)
        self.text_encoder = recipe_to_text_encoder(ours, tokenizer).to(recipe.device).train()
        self.scale = pictures_to_scale(recipe.autoencoder, pictures.images)
        self.kept = recipe_to_scheduler(ours).alphas_cumprod
        self.groups = self._groups()

    def _groups(self) -> dict[str, WeightGroup]:
        """Return the UNet's matrices and filters for Muon, and all else for AdamW."""
        ours = self.recipe.denoiser
        unet = {f"unet.{name}": one for name, one in self.unet.named_parameters()}
        text = {f"text_encoder.{name}": one for name, one in self.text_encoder.named_parameters()}
        inner = _inner_matrices(unet)
        groups = {
            name: WeightGroup(share, ours.matrix_rate, "muon", ours.weight_decay)
            for name, share in _equal_shares(inner, self.recipe.parts).items()
        }
        outer = {name: one for name, one in unet.items() if name not in inner}
        rates = {"unet": 1.0, "text_encoder": ours.text_rate_share}
        for part, weights in (("unet", outer), ("text_encoder", text)):
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
        batch = draw_batch(
            self.recipe.denoiser, self.pictures, self.scale, self.tokenizer, self.kept, step
        )
        return batch.pieces(self.recipe.parts)

    def piece_to_losses(self, piece: Batch) -> Losses:
        """Return a piece's share of the velocity's mean squared error."""
        device = self.recipe.device
        prompts = self.text_encoder(piece.tokens.to(device))[0]
        predicted = self.unet(
            piece.latents.to(device), piece.timesteps.to(device), prompts
        ).sample.float()
        return {
            "loss": functional.mse_loss(predicted, piece.velocity.to(device)) / self.recipe.parts
        }

    def judge(self) -> dict[str, float]:
        """Return nothing: the benchmark of the base model judges its pictures."""
        return {}

    def draw_previews(self) -> dict[str, ByteStack]:
        """Draw a few pictures of every kind; none where there is no autoencoder."""
        if self.autoencoder is None:
            return {}
        from pipeline_lib.models.recipe.checking import parts_to_pictures

        with torch.autocast(torch.device(self.recipe.device).type, enabled=False):
            pictures = parts_to_pictures(
                self.autoencoder,
                self.unet,
                self.text_encoder,
                self.tokenizer,
                recipe_to_scheduler(self.recipe.denoiser),
                self.recipe.pictures.size,
            )
        return {_name(prompt): stack for prompt, stack in pictures.items()}


def _name(prompt: str) -> str:
    """Return a prompt as a part of a file's name."""
    return re.sub(r"[^a-z0-9]+", "-", prompt.lower()).strip("-") or "empty"


def denoiser_trainer(
    recipe: Recipe,
    pictures: CaptionedPictures,
    tokenizer: CLIPTokenizer,
    autoencoder: AutoencoderKL | None = None,
) -> Trainer:
    """Return the loop's trainer of untrained UNet and text encoder."""
    ours = recipe.denoiser
    objective = DenoiserObjective(recipe, pictures, tokenizer, autoencoder)
    return recipe_to_trainer(recipe, objective, ours.steps, ours.warmup, ours.ema_decay)


def train_denoiser(
    recipe: Recipe,
    pictures: CaptionedPictures,
    tokenizer: CLIPTokenizer,
    folder: Path,
    autoencoder: AutoencoderKL | None = None,
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

    Returns
    -------
    Trainer
        At its end; the models to use are the averaged ones.
    """
    trainer = denoiser_trainer(recipe, pictures, tokenizer, autoencoder)
    run_training(trainer, folder, "denoiser")
    return trainer


def _inner_matrices(unet: Weights) -> Weights:
    """Return all of a UNet's matrices and filters but those of its first and last convolution."""
    return {
        name: weight
        for name, weight in unet.items()
        if weight.ndim >= 2 and name.split(".")[1] not in ("conv_in", "conv_out")
    }


def _equal_shares(matrices: Weights, number: int) -> dict[str, Weights]:
    """Share matrices out by their size, so that threads work on them for the same time."""
    largest_first = sorted(matrices, key=lambda name: -matrices[name].numel())
    return {
        f"matrices_{share}": {name: matrices[name] for name in largest_first[share::number]}
        for share in range(number)
    }


def draw_batch(
    recipe: DenoiserRecipe,
    pictures: CaptionedPictures,
    scale: LatentScale,
    tokenizer: CLIPTokenizer,
    kept: Tensor,
    step: int,
) -> Batch:
    """Draw the inputs of a step, a function of seed and step alone.

    Parameters
    ----------
    recipe : DenoiserRecipe
        Batch size, caption dropout, time steps, seed.
    pictures : CaptionedPictures
        What is drawn from; every picture in all eight turns and flips.
    scale : LatentScale
        The encoder's.
    tokenizer : CLIPTokenizer
        Reads the captions.
    kept : Tensor, (timesteps,)
        Share of the signal's variance that each timestep keeps.
    step : int
        Number of the step.

    Returns
    -------
    Batch
        Latents, noised.
    """
    sequence = np.random.SeedSequence([recipe.seed, step])
    generator = np.random.Generator(np.random.Philox(sequence))
    numbers = generator.integers(len(pictures.captions), size=recipe.batch)
    ways = generator.integers(WAYS, size=recipe.batch)
    turned = [
        turn_picture(pictures.images[number], way)
        for number, way in zip(numbers, ways, strict=True)
    ]
    clean = torch.from_numpy(pictures_to_latents(bytes_to_grey(np.stack(turned)), scale))
    noise = torch.from_numpy(generator.standard_normal(clean.shape, dtype=np.float32))
    timesteps = draw_timesteps(recipe, kept, generator)
    tokens = _draw_tokens(recipe, [pictures.captions[n] for n in numbers], tokenizer, generator)
    signal = kept[timesteps].sqrt().view(-1, 1, 1, 1)
    loss = (1 - kept[timesteps]).sqrt().view(-1, 1, 1, 1)
    noised, velocity = signal * clean + loss * noise, signal * noise - loss * clean
    return Batch(noised, timesteps, tokens, velocity)


def draw_timesteps(recipe: DenoiserRecipe, kept: Tensor, generator: np.random.Generator) -> Tensor:
    """Draw a batch's time steps, spread evenly over their distribution, which steadies the loss.

    Parameters
    ----------
    recipe : DenoiserRecipe
        Batch size and distribution.
    kept : Tensor, (timesteps,)
        Share of the signal's variance that each timestep keeps.
    generator : numpy.random.Generator
        Source of all choices.

    Returns
    -------
    Tensor of int64, (batch,)
        Time steps, rising.
    """
    spread = spread_by_log_snr(
        kept.numpy(), recipe.log_snr_mean, recipe.log_snr_deviation, recipe.uniform_timesteps
    )
    places = (np.arange(recipe.batch) + generator.uniform()) / recipe.batch
    return torch.from_numpy(spread[(places * len(spread)).astype(np.int64)])


def _draw_tokens(
    recipe: DenoiserRecipe,
    captions: Sequence[str],
    tokenizer: CLIPTokenizer,
    generator: np.random.Generator,
) -> Tensor:
    """Return token ids of captions in varied words, some left empty for guidance."""
    dropped = generator.uniform(size=len(captions)) < recipe.caption_dropout
    varied = [vary_caption(caption, generator) for caption in captions]
    said = ["" if drop else caption for drop, caption in zip(dropped, varied, strict=True)]
    tokens = tokenizer(said, padding="max_length", truncation=True, return_tensors="pt")
    return tokens.input_ids
