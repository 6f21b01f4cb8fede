"""Tiny random pipelines with the true classes and configuration shapes, for the tests.

``python -m tests.toy_models FOLDER ARCHITECTURE`` builds one by hand.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from transformers import CLIPTokenizer
from transformers.models.clip.configuration_clip import CLIPTextConfig
from transformers.models.clip.modeling_clip import CLIPTextModel, CLIPTextModelWithProjection

Architecture = Literal["tiny", "sd15", "sd21", "sdxl"]
ARCHITECTURES: tuple[Architecture, ...] = get_args(Architecture)

TOKENS_IN_PROMPT = 24
TEXT_WIDTH = 32
PROJECTED_WIDTH = 24
START, END = "<|startoftext|>", "<|endoftext|>"
WORDS = (
    "a an of in the with and on microscopy microscope image picture brightfield phase contrast "
    "oblique dic cell cells bacteria bacterium colony well edge debris sparse dense grey um mm "
    "rod zx qv xk jw vq hqz pzk wqx no"
)

V_PREDICTION = {"prediction_type": "v_prediction"}
ZERO_TERMINAL_SNR = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
SCHEDULE = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
}


def build_toy_model(folder: Path | str, architecture: Architecture) -> Path:
    """Save a tiny random pipeline in the diffusers layout; equal calls write equal weights.

    Parameters
    ----------
    folder : Path or str
        Where it is written.
    architecture : {"tiny", "sd15", "sd21", "sdxl"}
        ``tiny`` is shaped like the embedded base model (8 latent channels, v-prediction down to
        zero signal-to-noise); the others like Stable Diffusion 1.5, 2.1 and XL.

    Returns
    -------
    Path
        The folder.
    """
    root = Path(folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(ARCHITECTURES.index(architecture))
        parts = _texts(architecture)
        parts |= {"unet": _unet(architecture), "vae": _vae(architecture)}
    for name, part in parts.items():
        part.save_pretrained(root / name)
        if isinstance(part, CLIPTokenizer) and architecture != "tiny":
            _write_old_vocabulary(root / name)
    scheduler = _write_scheduler(root / "scheduler", architecture)
    classes = {name: _library_and_class(part) for name, part in parts.items()}
    _write_index(root, architecture, classes | {"scheduler": ["diffusers", scheduler]})
    return root


def _texts(architecture: Architecture) -> dict[str, Any]:
    """Return tokenizers and text encoders; SDXL has two of each."""
    first = _tokenizer("!" if architecture == "sd21" else END)
    hidden = {"tiny": "quick_gelu", "sd15": "quick_gelu", "sd21": "gelu", "sdxl": "quick_gelu"}
    texts: dict[str, Any] = {
        "tokenizer": first,
        "text_encoder": CLIPTextModel(_text_config(first, hidden[architecture])),
    }
    if architecture == "sdxl":
        second = _tokenizer("!")
        texts["tokenizer_2"] = second
        texts["text_encoder_2"] = CLIPTextModelWithProjection(_text_config(second, "gelu"))
    return texts


def _tokenizer(padding: str) -> CLIPTokenizer:
    """Return a byte-level CLIP tokenizer in which each of WORDS is a single token."""
    vocabulary, merges = words_to_vocabulary(WORDS.split())
    return CLIPTokenizer(
        vocab=vocabulary, merges=merges, pad_token=padding, model_max_length=TOKENS_IN_PROMPT
    )


def _write_old_vocabulary(folder: Path) -> None:
    """Leave the vocabulary as Stable Diffusion's repositories do: vocab.json and merges.txt."""
    (folder / "tokenizer.json").unlink()
    vocabulary, merges = words_to_vocabulary(WORDS.split())
    _write(folder / "vocab.json", vocabulary)
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n")


def words_to_vocabulary(words: Iterable[str]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Return CLIP's vocabulary of single bytes, and the merges that join each word.

    Parameters
    ----------
    words : iterable of str
        Lower-case ASCII words.

    Returns
    -------
    vocabulary : dict of str to int
        Ids by token: 256 bytes, 256 bytes ending a word, merges, start and end.
    merges : list of pairs
        In the order of their priority.
    """
    letters = _byte_letters()
    tokens = letters + [f"{letter}</w>" for letter in letters]
    merges: list[tuple[str, str]] = []
    for word in words:
        pieces = [*word[:-1], f"{word[-1]}</w>"]
        while len(pieces) > 1:
            pair = (pieces[-2], pieces[-1])
            pieces[-2:] = ["".join(pair)]
            if pair not in merges:
                merges.append(pair)
                tokens.append(pieces[-1])
    return {token: index for index, token in enumerate([*tokens, START, END])}, merges


def _byte_letters() -> list[str]:
    """Return the printable letter that stands for each byte in CLIP's order."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return [chr(byte) for byte in shown] + [chr(256 + index) for index in range(len(hidden))]


def _text_config(tokenizer: CLIPTokenizer, activation: str) -> CLIPTextConfig:
    """Return a text encoder of two narrow layers."""
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=TEXT_WIDTH,
        intermediate_size=2 * TEXT_WIDTH,
        projection_dim=PROJECTED_WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=TOKENS_IN_PROMPT,
        hidden_act=activation,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        initializer_factor=4.0,
    )


def _unet(architecture: Architecture) -> UNet2DConditionModel:
    """Return a UNet of two or three narrow levels."""
    shape: dict[str, Any] = {
        "sample_size": 8,
        "in_channels": _latent_channels(architecture),
        "out_channels": _latent_channels(architecture),
        "layers_per_block": 1,
        "norm_num_groups": 4,
        "cross_attention_dim": TEXT_WIDTH,
        "block_out_channels": (16, 32),
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
        "attention_head_dim": 4,
    }
    if architecture == "sd21":
        shape |= {"attention_head_dim": (2, 4), "use_linear_projection": True}
    if architecture == "sdxl":
        shape |= {
            "block_out_channels": (16, 32, 32),
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            "transformer_layers_per_block": (1, 1, 2),
            "attention_head_dim": (2, 4, 4),
            "cross_attention_dim": 2 * TEXT_WIDTH,
            "use_linear_projection": True,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 8,
            "projection_class_embeddings_input_dim": PROJECTED_WIDTH + 6 * 8,
        }
    return UNet2DConditionModel(**shape)


def _vae(architecture: Architecture) -> AutoencoderKL:
    """Return an autoencoder that makes sides eight times smaller."""
    scaling = {"tiny": 0.6, "sd15": 0.18215, "sd21": 0.18215, "sdxl": 0.13025}
    vae = AutoencoderKL(
        block_out_channels=(8, 8, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=_latent_channels(architecture),
        norm_num_groups=4,
        sample_size=64,
        scaling_factor=scaling[architecture],
        force_upcast=architecture == "sdxl",
    )
    with torch.no_grad():  # untrained decoders show hardly any contrast
        vae.decoder.conv_out.weight.mul_(2.0)
    return vae


def _latent_channels(architecture: Architecture) -> int:
    """Return the channels of the latent space."""
    return 8 if architecture == "tiny" else 4


def _write_scheduler(folder: Path, architecture: Architecture) -> str:
    """Write the scheduler's configuration as that base model is published; return its class."""
    if architecture == "sdxl":
        name, own = "EulerDiscreteScheduler", {"timestep_spacing": "leading"}
    else:
        name, own = "DDIMScheduler", {"clip_sample": False, "set_alpha_to_one": False}
    if architecture in ("tiny", "sd21"):
        own |= V_PREDICTION
    if architecture == "tiny":
        own |= ZERO_TERMINAL_SNR
    whole = {"_class_name": name, "steps_offset": 1, **SCHEDULE, **own}
    _write(folder / "scheduler_config.json", whole)
    return name


def _library_and_class(part: object) -> list[str]:
    """Return what model_index.json says about a part."""
    return [type(part).__module__.split(".")[0], type(part).__name__]


def _write_index(root: Path, architecture: Architecture, parts: dict[str, list[str]]) -> None:
    """Write model_index.json, without safety checker."""
    if architecture == "sdxl":
        index = {"_class_name": "StableDiffusionXLPipeline", "force_zeros_for_empty_prompt": True}
        index |= {"feature_extractor": [None, None], "image_encoder": [None, None]}
    else:
        index = {"_class_name": "StableDiffusionPipeline", "requires_safety_checker": False}
        index |= {"feature_extractor": [None, None], "safety_checker": [None, None]}
    _write(root / "model_index.json", {**index, "_diffusers_version": "0.42.1", **parts})


def _write(path: Path, value: Any) -> None:
    """Write a value as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + "\n")


if __name__ == "__main__":
    build_toy_model(sys.argv[1], sys.argv[2])  # type: ignore[arg-type]
