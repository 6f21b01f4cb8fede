"""Which weights a fine-tuning trains, and how a loaded model is made ready for it."""

from __future__ import annotations

import torch

from pipeline_lib.dreambooth.lora import add_adapters
from pipeline_lib.models.loading import BaseModel
from pipeline_lib.settings.training import TrainingSettings
from pipeline_lib.training.objective import WeightGroup, Weights

UNET, TEXT_ENCODER = "unet", "text_encoder"


def trained_weights(model: BaseModel, settings: TrainingSettings) -> dict[str, Weights]:
    """Set which weights need gradients, and return them by part and name.

    Parameters
    ----------
    model : BaseModel
        The base model; what is trained of it is float32.
    settings : TrainingSettings
        A rate of 0 freezes its part.

    Returns
    -------
    dict of dict
        ``unet`` and ``text_encoder``, those that are trained: parameters by a name that is unique
        in the model, in the model's order.
    """
    if settings.method == "lora":
        return add_adapters(model, settings)
    model.vae.requires_grad_(False)
    parts: dict[str, Weights] = {}
    if settings.learning_rate > 0:
        parts[UNET] = _named("unet", model.unet)
    if settings.text_encoder_learning_rate > 0:
        parts[TEXT_ENCODER] = {
            name: weight
            for index, encoder in enumerate(model.text_encoders)
            for name, weight in _named(f"text_encoder_{index}", encoder).items()
        }
    model.unet.requires_grad_(UNET in parts)
    for encoder in model.text_encoders:
        encoder.requires_grad_(TEXT_ENCODER in parts)
    return parts


def _named(prefix: str, module: torch.nn.Module) -> Weights:
    """Return a module's parameters by prefixed name."""
    return {f"{prefix}.{name}": weight for name, weight in module.named_parameters()}


def parts_to_groups(
    parts: dict[str, Weights], settings: TrainingSettings
) -> dict[str, WeightGroup]:
    """Return the groups that optimizers train, one a part."""
    rates = {UNET: settings.learning_rate, TEXT_ENCODER: settings.text_encoder_learning_rate}
    return {
        part: WeightGroup(weights, rates[part], settings.optimizer, settings.weight_decay)
        for part, weights in parts.items()
    }


def prepare_model(model: BaseModel, settings: TrainingSettings, dtype: torch.dtype) -> None:
    """Make a loaded model ready: small where it is frozen, fast and sparing as the settings say.

    Parameters
    ----------
    model : BaseModel
        Changed in place.
    settings : TrainingSettings
        `gradient_checkpointing`, `compile`, and what is trained.
    dtype : torch.dtype
        Precision of the training.
    """
    if settings.method == "lora":  # only then no frozen weight is given out
        for part in (model.unet, *model.text_encoders):
            torch.nn.Module.to(part, dtype)  # the class's own warns of parts that it does not have
    if settings.gradient_checkpointing:
        model.unet.enable_gradient_checkpointing()
        for encoder in model.text_encoders if settings.text_encoder_learning_rate else ():
            encoder.gradient_checkpointing_enable({"use_reentrant": False})
            encoder.train()  # transformers computes anew in training alone; CLIP drops nothing out
    if model.device.type == "cuda":
        model.unet.to(memory_format=torch.channels_last)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    if settings.compile:
        model.unet.compile(dynamic=False)
