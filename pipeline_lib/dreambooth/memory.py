"""How much memory a fine-tuning takes, computed from configurations alone.

The networks are built without values (torch's `meta` device) and run once: every tensor that is
kept for the way back is counted, attention as fused kernels keep it. What the allocator loses, and
what libraries load, comes on top: `OVERHEAD`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import torch
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import nn
from torch.nn import functional as F
from transformers import CLIPTextConfig
from transformers.models.clip.modeling_clip import (
    CLIPEncoderLayer,
    CLIPTextModel,
    CLIPTextModelWithProjection,
)

from pipeline_lib.dreambooth.weights import trained_weights
from pipeline_lib.files import read_json
from pipeline_lib.models.architecture import folder_to_description
from pipeline_lib.models.conditioning import PromptEmbedding, added_conditions
from pipeline_lib.models.loading import BaseModel
from pipeline_lib.settings.training import TrainingSettings
from pipeline_lib.training.objective import Weights

OVERHEAD = 1.1
BYTES_OF_FLOAT = 4
BYTES_OF_MOMENTS = {"adamw": 8, "adamw_8bit": 2}
# What is computed anew as one piece where activations are not kept.
UNITS = (ResnetBlock2D, BasicTransformerBlock, CLIPEncoderLayer)


class TrainingMemory(NamedTuple):
    """Bytes of one training, by what they hold.

    Attributes
    ----------
    weights : int
        Of all networks but the autoencoder, as they lie in memory.
    copies : int
        Of trained weights in the precision that is computed in.
    gradients, moments, averages : int
        Of the trained weights.
    activations : int
        What one piece of a step keeps for the way back.
    """

    weights: int
    copies: int
    gradients: int
    moments: int
    averages: int
    activations: int

    @property
    def total(self) -> int:
        """Return all of it, with what an allocator loses."""
        return int(sum(self) * OVERHEAD)


def training_memory(
    model: BaseModel, settings: TrainingSettings, size: int, dtype: torch.dtype
) -> TrainingMemory:
    """Return what a fine-tuning keeps in memory while it makes a step.

    Parameters
    ----------
    model : BaseModel
        Of `folder_to_meta_model`; adapters are put into it.
    settings : TrainingSettings
        What is trained, how many images a step, and what is saved on.
    size : int
        Side of the pictures in pixels.
    dtype : torch.dtype
        Precision that is computed in.

    Returns
    -------
    TrainingMemory
        Without previews, for which the activations make room again.
    """
    networks = (model.unet, *model.text_encoders)
    if settings.method == "lora":
        for network in networks:
            nn.Module.to(network, dtype)
    parts = trained_weights(model, settings)
    trained = [weight for part in parts.values() for weight in part.values()]
    count = sum(weight.numel() for weight in trained)
    weights = sum(_bytes(weight) for network in networks for weight in network.parameters())
    for network in networks:  # what is counted next is computed in the lower precision
        nn.Module.to(network, dtype)
    return trained_to_memory(
        count,
        dtype,
        weights=weights,
        moments=BYTES_OF_MOMENTS[settings.optimizer] * count,
        activations=_activations(model, parts, settings, size),
    )


def trained_to_memory(
    count: int, dtype: torch.dtype, *, weights: int, moments: int, activations: int
) -> TrainingMemory:
    """Return what a step keeps of so many trained weights, which are held in float32.

    Parameters
    ----------
    count : int
        Trained weights.
    dtype : torch.dtype
        Precision that is computed in; a narrower one needs copies.
    weights, moments, activations : int
        Bytes, as `TrainingMemory` has them.
    """
    narrower = dtype.itemsize < torch.float32.itemsize
    return TrainingMemory(
        weights=weights,
        copies=count * dtype.itemsize if narrower else 0,
        gradients=BYTES_OF_FLOAT * count,
        moments=moments,
        averages=BYTES_OF_FLOAT * count,
        activations=activations,
    )


def folder_to_meta_model(folder: Path) -> BaseModel:
    """Return the networks of a folder in the diffusers layout without values.

    Parameters
    ----------
    folder : Path
        Its configurations suffice; no weights are read.

    Returns
    -------
    BaseModel
        On torch's `meta` device, without tokenizers and autoencoder.
    """
    kinds = {"text_encoder": CLIPTextModel, "text_encoder_2": CLIPTextModelWithProjection}
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(read_json(folder / "unet/config.json"))
        encoders = tuple(
            kind(CLIPTextConfig.from_pretrained(folder / name))
            for name, kind in kinds.items()
            if (folder / name).is_dir()
        )
    description = folder_to_description(folder)
    return BaseModel((), encoders, unet, nn.Module(), description, folder, {})


def _activations(
    model: BaseModel, parts: dict[str, Weights], settings: TrainingSettings, size: int
) -> int:
    """Return the bytes that the largest piece of a step keeps."""
    samples = (settings.batch_size, settings.class_batch)
    batch = sum(math.ceil(one / settings.accumulation) for one in samples)

    def forward() -> None:
        embedding = encode_without_values(model, batch, trained="text_encoder" in parts)
        shape = (batch, *model.latent_shape(size))
        latents = torch.empty(shape, device="meta", dtype=model.unet.dtype)
        model.unet(
            latents,
            torch.empty(batch, device="meta"),
            encoder_hidden_states=embedding.hidden,
            added_cond_kwargs=added_conditions(model, embedding, size),
        )

    kept = kept_activations((model.unet, *model.text_encoders), forward)
    return kept.checkpointed() if settings.gradient_checkpointing else kept.total()


def kept_activations(networks: tuple[nn.Module, ...], forward: Callable[[], Any]) -> KeptTensors:
    """Return what networks without values keep for the way back, as on a GPU.

    Parameters
    ----------
    networks : tuple of Module
        In the precision that is computed in, which is that of the first.
    forward : callable
        Runs them.
    """
    kept = KeptTensors(networks)
    with kept.counted(), _as_on_a_gpu(next(networks[0].parameters()).dtype):
        forward()
    return kept


def encode_without_values(model: BaseModel, batch: int, trained: bool) -> PromptEmbedding:
    """Return embeddings without values, of the shape that prompts have."""
    length = model.text_encoders[0].config.max_position_embeddings
    tokens = torch.zeros(batch, length, dtype=torch.long, device="meta")
    with torch.set_grad_enabled(trained):
        outputs = [encoder(tokens, output_hidden_states=True) for encoder in model.text_encoders]
    hidden = torch.cat([output.hidden_states[-1] for output in outputs], dim=-1)
    pooled = outputs[-1].text_embeds if len(outputs) > 1 else None
    return PromptEmbedding(hidden, pooled)


class KeptTensors:
    """Counts what is kept for the way back, and in which unit of a network.

    Parameters
    ----------
    networks : tuple of Module
        Whose own weights do not count.
    """

    def __init__(self, networks: tuple[nn.Module, ...]) -> None:
        self.networks = networks
        weights = (weight for network in self.networks for weight in network.parameters())
        self._seen = {_storage(weight) for weight in weights}
        self._alive: list[torch.Tensor] = []  # else another tensor gets an old one's place
        self._bytes: dict[int, int] = {}  # by unit; 0 is outside of all
        self._inputs = 0
        self._unit, self._units = 0, 0

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count while the context lasts."""
        with ExitStack() as stack:
            for network in self.networks:
                for module in network.modules():
                    if isinstance(module, UNITS):
                        stack.callback(module.register_forward_pre_hook(self._enter).remove)
                        stack.callback(module.register_forward_hook(self._leave).remove)
            hooks = torch.autograd.graph.saved_tensors_hooks(self._keep, lambda tensor: tensor)
            stack.enter_context(hooks)
            yield

    def total(self) -> int:
        """Return the bytes of all."""
        return sum(self._bytes.values())

    def checkpointed(self) -> int:
        """Return the bytes where units keep their inputs alone, and one is computed anew."""
        largest = max((size for unit, size in self._bytes.items() if unit), default=0)
        return self._bytes.get(0, 0) + self._inputs + largest

    def _enter(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        self._units += 1
        self._unit = self._units
        self._inputs += sum(_bytes(one) for one in inputs if isinstance(one, torch.Tensor))

    def _leave(self, *_: Any) -> None:
        self._unit = 0

    def _keep(self, tensor: torch.Tensor) -> torch.Tensor:
        storage = _storage(tensor)
        if storage not in self._seen:
            self._seen.add(storage)
            self._alive.append(tensor)
            size = tensor.untyped_storage().nbytes()
            self._bytes[self._unit] = self._bytes.get(self._unit, 0) + size
        return tensor


class _FusedAttention(torch.autograd.Function):
    """Attention without values that keeps what fused kernels keep: no matrix of all pairs."""

    @staticmethod
    def forward(context: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> Any:
        result = torch.empty_like(query)
        context.save_for_backward(query, key, value, result)
        return result


@contextmanager
def _as_on_a_gpu(dtype: torch.dtype) -> Iterator[None]:
    """Let operators take and give the precisions that autocast lets them, and fuse attention."""

    def attend(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> Any:
        return _FusedAttention.apply(query, key, value)

    precisions = {"group_norm": torch.float32, "layer_norm": torch.float32}
    precisions |= {"conv2d": dtype, "linear": dtype}
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(F, "scaled_dot_product_attention", attend))
        for name, precision in precisions.items():
            cast = _casting(getattr(F, name), precision)
            stack.enter_context(mock.patch.object(F, name, cast))
        yield


def _casting(function: Callable[..., Any], dtype: torch.dtype) -> Callable[..., Any]:
    """Return a function that is given all its tensors in one precision."""

    def cast(value: Any) -> Any:
        return value.to(dtype) if isinstance(value, torch.Tensor) else value

    def called(*given: Any, **named: Any) -> Any:
        return function(
            *(cast(value) for value in given), **{key: cast(one) for key, one in named.items()}
        )

    return called


def _storage(tensor: torch.Tensor) -> int:
    """Return what tells the memory of a tensor from that of others."""
    return tensor.untyped_storage()._cdata


def _bytes(tensor: torch.Tensor) -> int:
    """Return the size of a tensor's values."""
    return tensor.numel() * tensor.element_size()
