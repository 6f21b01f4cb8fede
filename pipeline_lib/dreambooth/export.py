"""The trained model as a folder that any program with diffusers can load."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline_lib.files import folder_to_sha256, write_json

if TYPE_CHECKING:
    from pipeline_lib.models.loading import BaseModel

CARD = "brightbooth.json"
PIPELINES = {"sdxl": "StableDiffusionXLPipeline"}
DEFAULT_PIPELINE = "StableDiffusionPipeline"
CARD_TEXT = """\
# {name}

A text-to-image model of microscope pictures, fine-tuned by DreamBooth (arXiv 2208.12242) with
Brightbooth. Its pictures are synthetic.

| concept | identifier | noun | modality | training tiles | prompt |
|---|---|---|---|---|---|
{rows}

- Base model: {base}. Its terms also bind this model: {licence}.
- Training: {steps} steps of {batch_size} subject images, learning rate {learning_rate:g} (text
  encoder {text_encoder_learning_rate:g}), prior weight {prior_weight:g}; the averaged weights are
  what is exported.
- Every setting, the hashes of what went in and the package versions: `brightbooth.json`.

Not for diagnosis, and not evidence of anything about cells: the pictures show what the training
images made likely, and can be near copies of them. Say that they are synthetic where you publish
them or train with them.

Load it with `diffusers.{pipeline}.from_pretrained(FOLDER)`. There is no safety checker: it blackens
pictures of cells.
"""


def export_model(model: BaseModel, folder: Path, card: Mapping[str, Any]) -> None:
    """Write a model as safetensors in the diffusers layout, with its card, without safety checker.

    Parameters
    ----------
    model : BaseModel
        With the weights that shall be exported in place.
    folder : Path
        New folder.
    card : mapping
        JSON-able: ``name``, ``base``, ``concepts``, ``settings``, ``provenance`` and so on; hashes
        of the files and what the files hold are added.
    """
    folder.mkdir(parents=True)
    model.unet.save_pretrained(folder / "unet")
    model.vae.save_pretrained(folder / "vae")
    for slot, encoder in zip(_slots(model), model.text_encoders, strict=True):
        encoder.save_pretrained(folder / f"text_encoder{slot}")
        _copy_texts(model.folder / f"tokenizer{slot}", folder / f"tokenizer{slot}")
    _copy_texts(model.folder / "scheduler", folder / "scheduler")
    (folder / "model_index.json").write_text(json.dumps(_index(model), indent=2) + "\n")
    (folder / "README.md").write_text(card_to_text(card, _pipeline(model)), encoding="utf-8")
    description = {
        "architecture": model.architecture,
        "prediction_type": model.description.prediction_type,
        "latent_channels": model.description.latent_channels,
        "downsampling": model.description.downsampling,
    }
    whole = {**card, **description, "folder": ".", "synthetic": True}
    write_json(folder / CARD, {**whole, "files": folder_to_sha256(folder)})


def _slots(model: BaseModel) -> list[str]:
    """Return the endings of the text encoders' folders."""
    return ["", "_2"][: len(model.text_encoders)]


def _pipeline(model: BaseModel) -> str:
    """Return diffusers' class for the model."""
    return PIPELINES.get(model.architecture, DEFAULT_PIPELINE)


def _copy_texts(source: Path, target: Path) -> None:
    """Copy the JSON and text files of a folder; nothing that could hold a pickle."""
    target.mkdir()
    for file in sorted(source.iterdir()):
        if file.suffix in (".json", ".txt"):
            shutil.copyfile(file, target / file.name)


def _index(model: BaseModel) -> dict[str, Any]:
    """Return model_index.json: which class loads which folder."""
    parts: dict[str, Any] = {"unet": model.unet, "vae": model.vae}
    for slot, encoder in zip(_slots(model), model.text_encoders, strict=True):
        parts[f"text_encoder{slot}"] = encoder
    classes = {
        name: [type(part).__module__.split(".")[0], type(part).__name__]
        for name, part in parts.items()
    }
    classes |= {f"tokenizer{slot}": ["transformers", "CLIPTokenizer"] for slot in _slots(model)}
    classes["scheduler"] = ["diffusers", model.scheduler_config["_class_name"]]
    if model.architecture == "sdxl":
        own: dict[str, Any] = {
            "force_zeros_for_empty_prompt": model.description.zero_empty_prompt,
            "add_watermarker": False,
        }
    else:
        own = {"safety_checker": [None, None], "requires_safety_checker": False}
    return {
        "_class_name": _pipeline(model),
        "_diffusers_version": version("diffusers"),
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        **own,
        **dict(sorted(classes.items())),
    }


def card_to_text(card: Mapping[str, Any], pipeline: str) -> str:
    """Return the model card, in Markdown: trained on what, on what terms, not for what.

    Parameters
    ----------
    card : mapping
        With ``name``, ``base``, ``licence``, ``concepts`` and ``settings``.
    pipeline : str
        diffusers' class that loads the folder.

    Returns
    -------
    str
        The text of README.md.
    """
    rows = [
        f"| {name} | `{concept['identifier']}` | {concept['noun']} | {concept['modality']} | "
        f"{concept['tiles']} | {concept['prompt']} |"
        for name, concept in card["concepts"].items()
    ]
    training = card["settings"]["training"]
    return CARD_TEXT.format(
        name=card["name"],
        base=card["base"],
        licence=card["licence"] or "not stated in base_models.yaml",
        rows="\n".join(rows),
        pipeline=pipeline,
        **training,
    )
