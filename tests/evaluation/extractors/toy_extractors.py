"""Tiny random models of the real classes in the transformers layout, and plug-ins."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import torch
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPTokenizer,
    Dinov2Config,
    Dinov2Model,
    ViTConfig,
    ViTModel,
)

from pipeline_lib.evaluation.extractors.contract import Extractor
from pipeline_lib.settings.extractors import LPIPS_HEADS, LPIPS_NETWORK
from tests.evaluation.extractors.published_layout import LPIPS_SHAPES
from tests.toy_models import words_to_vocabulary

WIDTH = 16
PROJECTED = 12
LAYERS = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": WIDTH}
WORDS = "a an image of cells bacteria microscopy brightfield"
TOKENS_IN_PROMPT = 16


def build_dinov2(folder: Path) -> Dinov2Model:
    """Save a DINOv2 model with the published models' patches and position grid."""
    configuration = Dinov2Config(**LAYERS, patch_size=14, image_size=518)
    return _save(Dinov2Model(configuration), folder, 0)


def build_dino(folder: Path, pooler: bool = False) -> ViTModel:
    """Save a ViT as DINO's are, without a pooler."""
    configuration = ViTConfig(**LAYERS, intermediate_size=32, patch_size=16, image_size=224)
    return _save(ViTModel(configuration, add_pooling_layer=pooler), folder, 1)


def build_clip(folder: Path) -> CLIPModel:
    """Save both halves of a CLIP model, with its tokenizer."""
    vocabulary, merges = words_to_vocabulary(WORDS.split())
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=TOKENS_IN_PROMPT)
    text = LAYERS | {
        "intermediate_size": 32,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": TOKENS_IN_PROMPT,
        "eos_token_id": tokenizer.eos_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    vision = LAYERS | {"intermediate_size": 32, "patch_size": 32, "image_size": 224}
    configuration = CLIPConfig(text_config=text, vision_config=vision, projection_dim=PROJECTED)
    tokenizer.save_pretrained(folder)
    return _save(CLIPModel(configuration), folder, 2)


def build_lpips(folder: Path) -> dict[str, torch.Tensor]:
    """Save LPIPS of the published names and shapes with random content; return all tensors."""
    generator = torch.Generator().manual_seed(3)
    parts = {}
    for file, shapes in LPIPS_SHAPES.items():
        parts[file] = {
            name: torch.randn(shape, generator=generator) * (2 / math.prod(shape[1:])) ** 0.5
            for name, shape in shapes.items()
        }
    parts[LPIPS_HEADS] = {name: values.abs() for name, values in parts[LPIPS_HEADS].items()}
    parts[LPIPS_NETWORK]["classifier.6.bias"] = torch.zeros(1000)
    folder.mkdir(parents=True, exist_ok=True)
    for file, tensors in parts.items():
        # As torchvision's file is: parameters, in the format before zip.
        held = {name: torch.nn.Parameter(values) for name, values in tensors.items()}
        torch.save(held, folder / file, _use_new_zipfile_serialization=False)
    return parts[LPIPS_NETWORK] | parts[LPIPS_HEADS]


def _save(model: torch.nn.Module, folder: Path, seed: int) -> torch.nn.Module:
    """Draw weights wide enough for every layer to matter, then save."""
    generator = torch.Generator().manual_seed(seed)
    for name, values in model.named_parameters():
        if values.dim() and not name.endswith("logit_scale"):
            centre = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            drawn = centre + 0.2 * torch.randn(values.shape, generator=generator)
            values.data.copy_(drawn)
    model.eval().save_pretrained(folder)
    return model


def change_config(folder: Path, **changes: object) -> None:
    """Overwrite keys of a model's config.json."""
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


class MeanAndSpread(torch.nn.Module):
    """Mean and standard deviation of an image."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.stack([images.mean(dim=(1, 2)), images.std(dim=(1, 2))], dim=1)


class Given(torch.nn.Module):
    """A function as a module."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.function(images)


GOOD = Extractor(
    name="mean-and-spread",
    family="plug-in",
    dimensions=2,
    weights_sha256="ab" * 32,
    preprocessing="grey levels as they are",
    prepare=lambda images: images.to(torch.float32),
    network=MeanAndSpread(),
)


def good() -> Extractor:
    return GOOD


def _plain(function) -> Extractor:
    return replace(GOOD, network=Given(function))


def means(images: torch.Tensor) -> torch.Tensor:
    return MeanAndSpread()(images)


def no_extractor() -> dict:
    return {"name": "mean"}


def double_precision() -> Extractor:
    return _plain(lambda images: means(images).double())


def wrong_length() -> Extractor:
    return replace(GOOD, dimensions=3)


def an_array() -> Extractor:
    return _plain(lambda images: means(images).numpy())


def not_finite() -> Extractor:
    return _plain(lambda images: means(images) / 0)


def neighbourly() -> Extractor:
    return _plain(lambda images: means(images) - means(images).mean(dim=0))


def by_chance() -> Extractor:
    return _plain(lambda images: means(images) + torch.rand(len(images), 2))


def colour_only() -> Extractor:
    return _plain(lambda images: images[:, :, :, 0])


def named_badly() -> Extractor:
    return replace(GOOD, name="Mean / spread")


def hashed_badly() -> Extractor:
    return replace(GOOD, weights_sha256="none")


def without_length() -> Extractor:
    return replace(GOOD, dimensions=0)


def without_words() -> Extractor:
    return replace(GOOD, preprocessing="")


class Holder:
    """Something to find a plug-in in."""

    inner = staticmethod(good)


NUMBER = 3
