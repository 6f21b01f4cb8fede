"""The UNet and the text encoder, trained together on cached latents and captions."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from pipeline_lib.models.recipe.captions import vary_caption
from pipeline_lib.models.recipe.settings import DenoiserRecipe, Recipe
from pipeline_lib.models.recipe.training import (
    Gradients,
    Losses,
    Training,
    descend,
    in_precision,
    loss_to_gradients,
    module_to_average,
    one_core_threads,
    parameters_to_optimizer,
    pieces_to_gradients,
    set_learning_rate,
    step_to_learning_rate,
    train,
    update_average,
)

BETAS = (0.9, 0.99)
LARGEST_NORM = 1.0
WORD_DEVIATION = 0.3


@dataclass(frozen=True)
class CaptionedLatents:
    """What the denoiser learns from.

    Parameters
    ----------
    mean, std : Tensor of float16, (pictures, channels, rows, columns)
        Moments of the latents' distributions; the latents have mean 0 and deviation 1.
    captions : list of str
        One a picture.
    """

    mean: Tensor
    std: Tensor
    captions: list[str]


@dataclass(frozen=True)
class Batch:
    """The inputs of one step: noised latents, timesteps, token ids, and what to predict."""

    latents: Tensor
    timesteps: Tensor
    tokens: Tensor
    velocity: Tensor

    def piece(self, number: int, pieces: int) -> Batch:
        """Return every so-manieth sample, so that all pieces hold all noise levels."""
        chosen = slice(number, None, pieces)
        return Batch(
            self.latents[chosen],
            self.timesteps[chosen],
            self.tokens[chosen],
            self.velocity[chosen],
        )


def recipe_to_unet(recipe: DenoiserRecipe, channels: int, side: int) -> UNet2DConditionModel:
    """Build an untrained UNet.

    Parameters
    ----------
    recipe : DenoiserRecipe
        Architecture and seed.
    channels, side : int
        Channels and usual side of a latent.

    Returns
    -------
    UNet2DConditionModel
        Attends to prompts at the resolutions that the recipe says.
    """
    torch.manual_seed(recipe.seed)
    down = ["CrossAttnDownBlock2D" if wanted else "DownBlock2D" for wanted in recipe.attention]
    up = ["CrossAttnUpBlock2D" if wanted else "UpBlock2D" for wanted in recipe.attention[::-1]]
    return UNet2DConditionModel(
        sample_size=side,
        in_channels=channels,
        out_channels=channels,
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


def train_denoiser(
    recipe: Recipe,
    latents: CaptionedLatents,
    tokenizer: CLIPTokenizer,
    state: Path,
) -> Training:
    """Train UNet and text encoder, or go on with them.

    Parameters
    ----------
    recipe : Recipe
        All settings.
    latents : CaptionedLatents
        What is learnt from.
    tokenizer : CLIPTokenizer
        Reads the captions.
    state : Path
        File of the training's state.

    Returns
    -------
    Training
        Finished; the models to use are ``averaged["unet"]`` and ``averaged["text_encoder"]``.
    """
    training = denoiser_training(recipe, latents.mean.shape[1], latents.mean.shape[-1], tokenizer)
    kept = recipe_to_scheduler(recipe.denoiser).alphas_cumprod

    steps = recipe.denoiser.steps
    with one_core_threads(recipe.parts) as pool:

        def take_step(training: Training) -> Losses:
            batch = draw_batch(recipe.denoiser, latents, tokenizer, kept, training.step)
            return take_denoiser_step(training, batch, recipe, pool)

        train(training, take_step, steps, state, recipe.checkpoint_every, "denoiser")
    return training


def denoiser_training(
    recipe: Recipe, channels: int, side: int, tokenizer: CLIPTokenizer
) -> Training:
    """Return untrained UNet and text encoder with their optimizers."""
    ours = recipe.denoiser
    unet = recipe_to_unet(ours, channels, side).to(recipe.device)
    text_encoder = recipe_to_text_encoder(ours, tokenizer).to(recipe.device).train()
    modules = {"unet": unet, "text_encoder": text_encoder}
    optimizers = {
        name: parameters_to_optimizer([module], ours.learning_rate, ours.weight_decay, BETAS)
        for name, module in modules.items()
    }
    averaged = {name: module_to_average(module) for name, module in modules.items()}
    return Training(modules, optimizers, averaged)


def draw_batch(
    recipe: DenoiserRecipe,
    latents: CaptionedLatents,
    tokenizer: CLIPTokenizer,
    kept: Tensor,
    step: int,
) -> Batch:
    """Draw the inputs of a step, a function of seed and step alone.

    Parameters
    ----------
    recipe : DenoiserRecipe
        Batch size, caption dropout, seed.
    latents : CaptionedLatents
        What is drawn from.
    tokenizer : CLIPTokenizer
        Reads the captions.
    kept : Tensor, (timesteps,)
        Share of the signal's variance that each timestep keeps.
    step : int
        Number of the step.

    Returns
    -------
    Batch
        Timesteps are spread evenly over the batch, which steadies the loss.
    """
    sequence = np.random.SeedSequence([recipe.seed, step])
    generator = np.random.Generator(np.random.Philox(sequence))
    numbers = generator.integers(len(latents.captions), size=recipe.batch)
    mean, std = latents.mean[numbers].float(), latents.std[numbers].float()
    shape = (2, *mean.shape)
    draw, noise = torch.from_numpy(generator.standard_normal(shape, dtype=np.float32))
    places = (np.arange(recipe.batch) + generator.uniform()) / recipe.batch
    timesteps = torch.from_numpy((places * recipe.train_timesteps).astype(np.int64))
    tokens = _draw_tokens(recipe, [latents.captions[n] for n in numbers], tokenizer, generator)
    clean = mean + std * draw
    signal = kept[timesteps].sqrt().view(-1, 1, 1, 1)
    loss = (1 - kept[timesteps]).sqrt().view(-1, 1, 1, 1)
    noised, velocity = signal * clean + loss * noise, signal * noise - loss * clean
    return Batch(noised, timesteps, tokens, velocity)


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


def take_denoiser_step(training: Training, batch: Batch, recipe: Recipe, pool: Executor) -> Losses:
    """Do one step of UNet and text encoder.

    Parameters
    ----------
    training : Training
        Changed in place.
    batch : Batch
        Of `draw_batch`.
    recipe : Recipe
        Course of the rate, device and precision.
    pool : concurrent.futures.Executor
        Threads that share the batch.

    Returns
    -------
    dict of str to float
        The mean squared error of the velocity.
    """
    ours = recipe.denoiser
    rate = step_to_learning_rate(training.step, ours.steps, ours.learning_rate, ours.warmup)
    set_learning_rate(training.optimizers["unet"], rate)
    set_learning_rate(training.optimizers["text_encoder"], rate * ours.text_rate_share)

    def work(part: int) -> Gradients:
        return _piece_to_gradients(training, batch.piece(part, recipe.parts), recipe)

    gradients = pieces_to_gradients(work, range(recipe.parts), pool)
    descend(training, gradients, LARGEST_NORM)
    for name, module in training.modules.items():
        update_average(training.averaged[name], module, training.step, ours.ema_decay)
    return gradients.losses


def _piece_to_gradients(training: Training, piece: Batch, recipe: Recipe) -> Gradients:
    """Return loss and gradients of some latents."""
    with in_precision(recipe):
        prompts = training.modules["text_encoder"](piece.tokens.to(recipe.device))[0]
        predicted = training.modules["unet"](
            piece.latents.to(recipe.device), piece.timesteps.to(recipe.device), prompts
        ).sample
    loss = functional.mse_loss(predicted.float(), piece.velocity.to(recipe.device))
    gradients = loss_to_gradients(loss, training.optimizers)
    return Gradients(gradients, {"velocity": float(loss.detach())})
