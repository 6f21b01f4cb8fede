"""The UNet and the text encoder, trained together on cached latents and captions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from pipeline_lib.models.recipe.autoencoder import bytes_to_grey, pictures_to_scale
from pipeline_lib.models.recipe.captions import vary_caption
from pipeline_lib.models.recipe.cosines import CELL, LatentScale, pictures_to_latents
from pipeline_lib.models.recipe.pictures import WAYS, CaptionedPictures, turn_picture
from pipeline_lib.models.recipe.settings import LATENT_CHANNELS, DenoiserRecipe, Recipe
from pipeline_lib.models.recipe.training import (
    Gradients,
    Losses,
    Training,
    descend,
    in_precision,
    loss_to_gradients,
    module_to_average,
    one_core_threads,
    parameters_to_muon,
    parameters_to_optimizer,
    pieces_to_gradients,
    set_learning_rate,
    step_to_learning_rate,
    train,
    update_average,
)
from pipeline_lib.models.timesteps import spread_by_log_snr

BETAS = (0.9, 0.99)
LARGEST_NORM = 1.0
WORD_DEVIATION = 0.3


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


def train_denoiser(
    recipe: Recipe,
    pictures: CaptionedPictures,
    tokenizer: CLIPTokenizer,
    state: Path,
    look: Callable[[Training], None] | None = None,
) -> Training:
    """Train UNet and text encoder, or go on with them.

    Parameters
    ----------
    recipe : Recipe
        All settings.
    pictures : CaptionedPictures
        What is learnt from.
    tokenizer : CLIPTokenizer
        Reads the captions.
    state : Path
        File of the training's state.
    look : callable, optional
        Called every so many steps as the recipe says, to draw some pictures.

    Returns
    -------
    Training
        Finished; the models to use are ``averaged["unet"]`` and ``averaged["text_encoder"]``.
    """
    ours = recipe.denoiser
    training = denoiser_training(recipe, tokenizer)
    scale = pictures_to_scale(recipe.autoencoder, pictures.images)
    kept = recipe_to_scheduler(ours).alphas_cumprod
    with one_core_threads(recipe.parts) as pool:

        def take_step(training: Training) -> Losses:
            batch = draw_batch(ours, pictures, scale, tokenizer, kept, training.step)
            return take_denoiser_step(training, batch, recipe, pool)

        every = recipe.checkpoint_every
        train(training, take_step, ours.steps, state, every, "denoiser", look, recipe.sheet_every)
    return training


def denoiser_training(recipe: Recipe, tokenizer: CLIPTokenizer) -> Training:
    """Return untrained UNet and text encoder with their optimizers."""
    ours = recipe.denoiser
    unet = recipe_to_unet(ours, recipe.pictures.size).to(recipe.device)
    text_encoder = recipe_to_text_encoder(ours, tokenizer).to(recipe.device).train()
    modules = {"unet": unet, "text_encoder": text_encoder}
    matrices = _equal_shares(_inner_matrices(unet), recipe.parts)
    optimizers = {
        name: parameters_to_muon(share, ours.matrix_rate, ours.weight_decay)
        for name, share in matrices.items()
    }
    inner = {id(parameter) for share in matrices.values() for parameter in share}
    for name, module in modules.items():
        optimizers[name] = parameters_to_optimizer(
            [module], ours.learning_rate, ours.weight_decay, BETAS, without=inner
        )
    averaged = {name: module_to_average(module) for name, module in modules.items()}
    return Training(modules, optimizers, averaged, flattened=matrices)


def _inner_matrices(unet: nn.Module) -> list[nn.Parameter]:
    """Return all of a UNet's matrices and filters but those of its first and last convolution."""
    return [
        parameter
        for name, parameter in unet.named_parameters()
        if parameter.ndim >= 2 and name.split(".")[0] not in ("conv_in", "conv_out")
    ]


def _equal_shares(matrices: list[nn.Parameter], number: int) -> dict[str, list[nn.Parameter]]:
    """Share matrices out by their size, so that threads work on them for the same time."""
    largest_first = sorted(matrices, key=lambda matrix: -matrix.numel())
    return {f"matrices-{share}": largest_first[share::number] for share in range(number)}


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
    course = step_to_learning_rate(training.step, ours.steps, 1.0, ours.warmup)
    for name, optimizer in training.optimizers.items():
        set_learning_rate(optimizer, course * _peak_rate(ours, name))

    def work(part: int) -> Gradients:
        return _piece_to_gradients(training, batch.piece(part, recipe.parts), recipe)

    gradients = pieces_to_gradients(work, range(recipe.parts), pool)
    descend(training, gradients, LARGEST_NORM, pool)
    for name, module in training.modules.items():
        update_average(training.averaged[name], module, training.step, ours.ema_decay)
    return gradients.losses


def _peak_rate(recipe: DenoiserRecipe, optimizer: str) -> float:
    """Return the peak rate of one of the optimizers of `denoiser_training`."""
    named = {
        "unet": recipe.learning_rate,
        "text_encoder": recipe.learning_rate * recipe.text_rate_share,
    }
    return named.get(optimizer, recipe.matrix_rate)


def _piece_to_gradients(training: Training, piece: Batch, recipe: Recipe) -> Gradients:
    """Return loss and gradients of some latents."""
    with in_precision(recipe):
        prompts = training.modules["text_encoder"](piece.tokens.to(recipe.device))[0]
        predicted = training.modules["unet"](
            piece.latents.to(recipe.device), piece.timesteps.to(recipe.device), prompts
        ).sample
    loss = functional.mse_loss(predicted.float(), piece.velocity.to(recipe.device))
    gradients = loss_to_gradients(loss, training)
    return Gradients(gradients, {"velocity": float(loss.detach())})
