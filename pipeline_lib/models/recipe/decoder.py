"""The decoder's second training: the texture of noise, with the encoder frozen.

The latents of a picture cannot hold its noise, and a decoder that is judged pixel by pixel leaves
it out. Here blurred pictures are compared pixel by pixel and the rest mostly by its local spectrum
and by a discriminator: right in strength and grain, wherever the grains lie.
"""

from __future__ import annotations

from concurrent.futures import Executor
from pathlib import Path

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor
from torch.nn import functional

from pipeline_lib.models.recipe.autoencoder import (
    LARGEST_NORM,
    Crops,
    decode_grey,
    draw_crops,
    encode_grey,
)
from pipeline_lib.models.recipe.pictures import ByteStack
from pipeline_lib.models.recipe.settings import DecoderRecipe, Recipe
from pipeline_lib.models.recipe.textures import (
    Discriminator,
    discriminator_loss,
    images_to_detail,
    spectrum_difference,
)
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
ADVERSARIAL_BETAS = (0.5, 0.9)


def train_decoder(
    recipe: Recipe, autoencoder: AutoencoderKL, images: ByteStack, state: Path
) -> Training:
    """Train the decoder of a trained autoencoder further, or go on with it.

    Parameters
    ----------
    recipe : Recipe
        All settings.
    autoencoder : AutoencoderKL
        Trained and whitened; changed in place, its encoder excepted.
    images : ndarray of uint8, (pictures, rows, columns)
        Simulated pictures.
    state : Path
        File of the training's state.

    Returns
    -------
    Training
        Finished; the autoencoder to use is ``averaged["autoencoder"]``.
    """
    ours = recipe.decoder
    training = decoder_training(recipe, autoencoder)
    with one_core_threads(recipe.parts) as pool:

        def take_step(training: Training) -> Losses:
            crops = draw_crops(images, recipe, ours.batch, ours.seed, training.step)
            return take_decoder_step(training, crops, recipe, pool)

        train(training, take_step, ours.steps, state, recipe.checkpoint_every, "decoder")
    return training


def decoder_training(recipe: Recipe, autoencoder: AutoencoderKL) -> Training:
    """Return autoencoder and a new discriminator, with optimizers of decoder and discriminator."""
    ours = recipe.decoder
    layout = {"device": recipe.device, "memory_format": torch.channels_last}
    torch.manual_seed(ours.seed)
    discriminator = Discriminator(ours.discriminator_channels).to(**layout)
    autoencoder = autoencoder.train().to(**layout)
    decoding = [autoencoder.post_quant_conv, autoencoder.decoder]
    return Training(
        modules={"autoencoder": autoencoder, "discriminator": discriminator},
        optimizers={
            "decoder": parameters_to_optimizer(decoding, ours.learning_rate, 0.0, BETAS),
            "discriminator": parameters_to_optimizer(
                [discriminator], ours.discriminator_rate, 0.0, ADVERSARIAL_BETAS
            ),
        },
        averaged={"autoencoder": module_to_average(autoencoder)},
    )


def take_decoder_step(training: Training, crops: Crops, recipe: Recipe, pool: Executor) -> Losses:
    """Do one step of the decoder and, after a while, of the discriminator.

    Parameters
    ----------
    training : Training
        Changed in place.
    crops : Crops
        Of `draw_crops`.
    recipe : Recipe
        Weights of the losses, course of the rate, device and precision.
    pool : concurrent.futures.Executor
        Threads that share the batch.

    Returns
    -------
    dict of str to float
        The losses.
    """
    ours = recipe.decoder
    rate = step_to_learning_rate(training.step, ours.steps, ours.learning_rate, ours.warmup)
    set_learning_rate(training.optimizers["decoder"], rate)

    def work(piece: Crops) -> Gradients:
        return _piece_to_gradients(training, piece, recipe)

    gradients = pieces_to_gradients(work, crops.pieces(recipe.parts), pool)
    descend(training, gradients, LARGEST_NORM)
    update_average(
        training.averaged["autoencoder"],
        training.modules["autoencoder"],
        training.step,
        ours.ema_decay,
    )
    return gradients.losses


def _piece_to_gradients(training: Training, crops: Crops, recipe: Recipe) -> Gradients:
    """Return losses and gradients of some crops."""
    ours, optimizers = recipe.decoder, training.optimizers
    target = crops.grey.to(recipe.device)
    autoencoder = training.modules["autoencoder"]
    with in_precision(recipe):
        with torch.no_grad():
            mean, log_variance = encode_grey(autoencoder, target)
        drawn = mean + (0.5 * log_variance).exp() * crops.noise.to(recipe.device)
        decoded = decode_grey(autoencoder, drawn)
    losses = _pictorial_losses(decoded, target, recipe)
    total = (
        losses["blurred"]
        + ours.absolute_weight * losses["absolute"]
        + ours.spectrum_weight * losses["spectrum"]
    )
    gradients = {}
    if training.step >= ours.adversarial_start * ours.steps:
        with in_precision(recipe):
            losses |= _adversarial_losses(training, decoded, target)
        total = total + losses["adversarial"] * _gradient_ratio(
            total, losses["adversarial"], decoded, ours
        )
        gradients["discriminator"] = loss_to_gradients(
            losses["discriminator"], optimizers["discriminator"]
        )
    gradients["decoder"] = loss_to_gradients(total, optimizers["decoder"])
    return Gradients(gradients, {name: float(loss.detach()) for name, loss in losses.items()})


def _pictorial_losses(decoded: Tensor, target: Tensor, recipe: Recipe) -> dict[str, Tensor]:
    """Compare blurred pictures and whole ones pixel by pixel, and local spectra."""
    error = decoded - target
    return {
        "blurred": (error - images_to_detail(error)).abs().mean(),
        "absolute": functional.l1_loss(decoded, target),
        "spectrum": spectrum_difference(decoded, target, recipe.autoencoder.spectrum_window),
    }


def _adversarial_losses(training: Training, decoded: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Return how unreal decoded pictures look, and how badly that is told."""
    discriminator = training.modules["discriminator"]
    telling = discriminator_loss(
        discriminator(target, target).float(), discriminator(decoded.detach(), target).float()
    )
    return {
        "adversarial": -discriminator(decoded, target).float().mean(),
        "discriminator": telling,
    }


def _gradient_ratio(
    pictorial: Tensor, adversarial: Tensor, decoded: Tensor, recipe: DecoderRecipe
) -> Tensor:
    """Return what gives the adversarial gradient at the picture the size that is asked for."""
    first, second = (
        torch.autograd.grad(loss, decoded, retain_graph=True)[0].norm()
        for loss in (pictorial, adversarial)
    )
    return recipe.adversarial_weight * first / (second + 1e-8)
