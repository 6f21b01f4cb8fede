"""The trained model as a folder that other programs can load."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline_lib.dreambooth.decoder_export import add_decoders, decoders_to_loading
from pipeline_lib.dreambooth.lora import has_adapters, model_to_adapters
from pipeline_lib.dreambooth.lora_export import (
    kohya_file_name,
    write_diffusers_file,
    write_kohya_file,
)
from pipeline_lib.files import folder_to_sha256, write_json
from pipeline_lib.models.adapters import ADAPTER_FILE
from pipeline_lib.models.cards import TRAINED_CARD

if TYPE_CHECKING:
    from pipeline_lib.models.loading import BaseModel

README = "README.md"
KOHYA_FILE = "kohya.safetensors"
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
- Training: {trained}, {steps} steps of {batch_size} subject images, learning rate
  {learning_rate:g} (text encoder {text_encoder_learning_rate:g}), prior weight {prior_weight:g};
  {exported}.
- Every setting, the hashes of what went in and the package versions: `brightbooth.json`.

Not for diagnosis, and not evidence of anything about cells: the pictures show what the training
images made likely, and can be near copies of them. Say that they are synthetic where you publish
them or train with them.

{loading}
"""
FULL_LOADING = """\
Load it with `diffusers.{pipeline}.from_pretrained(FOLDER)`. There is no safety checker: it blackens
pictures of cells."""
LORA_LOADING = """\
This folder holds what was added to the base model, not the base model itself. With diffusers:

```python
pipeline = diffusers.{pipeline}.from_pretrained(BASE{options})
pipeline.load_lora_weights(FOLDER, weight_name="{file}")
```"""
WITHOUT_CHECKER = ", safety_checker=None"  # it blackens pictures of cells
KOHYA_LOADING = """\
`{file}` is the same in the layout of kohya's trainer. The strength is 1.

- ComfyUI: copy it to `models/loras/`, and put the node *Load LoRA* between the base model's
  *Load Checkpoint* and everything else.
- AUTOMATIC1111: copy it to `models/Lora/`, choose the base model, and write `<lora:{stem}:1>` in
  the prompt."""


def write_weights(model: BaseModel, folder: Path, base: str) -> dict[str, Any]:
    """Write what was trained as safetensors, without safety checker.

    A model with adapters is written as its adapters alone, in two layouts; any other as a whole, in
    the diffusers layout.

    Parameters
    ----------
    model : BaseModel
        With the weights that shall be exported in place.
    folder : Path
        New folder.
    base : str
        Name of the base model.

    Returns
    -------
    dict
        JSON-able: method, architecture and so on, for the card.
    """
    folder.mkdir(parents=True)
    adapted = has_adapters(model)
    if adapted:
        _export_adapters(model, folder, base)
    else:
        _export_whole(model, folder)
    return {
        "method": "lora" if adapted else "full",
        "architecture": model.architecture,
        "prediction_type": model.description.prediction_type,
        "latent_channels": model.description.latent_channels,
        "downsampling": model.description.downsampling,
        "licence": model.card.get("licence", ""),
    }


def write_card(
    folder: Path, card: Mapping[str, Any], decoders: Mapping[str, Path] | None = None
) -> None:
    """Write what is said of exported weights, for programs and for people.

    Parameters
    ----------
    folder : Path
        With the weights. A file in kohya's layout gets the run's name, by which programs list it.
    card : mapping
        JSON-able: what `write_weights` returned, and ``name``, ``base``, ``concepts``,
        ``settings``, ``provenance`` and so on; hashes of the files are added.
    decoders : mapping, optional
        Folders of tuned decoders by concept, which are added to the weights.
    """
    if decoders:
        card = {**card, "decoders": add_decoders(folder, decoders, list(card["concepts"]))}
    kohya = folder / kohya_file_name(card["name"])
    if (folder / KOHYA_FILE).exists():
        (folder / KOHYA_FILE).replace(kohya)
    loading = "\n\n".join([_loading(card, kohya), *decoders_to_loading(card)])
    text = card_to_text(card, loading)
    (folder / README).write_text(text, encoding="utf-8")
    said = {**card, "folder": ".", "synthetic": True, "files": folder_to_sha256(folder)}
    write_json(folder / TRAINED_CARD, said)


def _loading(card: Mapping[str, Any], kohya: Path) -> str:
    """Return how exported weights are loaded."""
    architecture = card["architecture"]
    pipeline = PIPELINES.get(architecture, DEFAULT_PIPELINE)
    if card["method"] == "full":
        return FULL_LOADING.format(pipeline=pipeline)
    options = "" if architecture == "sdxl" else WITHOUT_CHECKER
    loading = LORA_LOADING.format(pipeline=pipeline, options=options, file=ADAPTER_FILE)
    if not kohya.exists():
        return loading
    return f"{loading}\n\n{KOHYA_LOADING.format(file=kohya.name, stem=kohya.stem)}"


def _export_whole(model: BaseModel, folder: Path) -> None:
    """Write a whole model in the diffusers layout."""
    model.unet.save_pretrained(folder / "unet")
    model.vae.save_pretrained(folder / "vae")
    for slot, encoder in zip(_slots(model), model.text_encoders, strict=True):
        encoder.save_pretrained(folder / f"text_encoder{slot}")
        _copy_texts(model.folder / f"tokenizer{slot}", folder / f"tokenizer{slot}")
    _copy_texts(model.folder / "scheduler", folder / "scheduler")
    (folder / "model_index.json").write_text(json.dumps(_index(model), indent=2) + "\n")


def _export_adapters(model: BaseModel, folder: Path, base: str) -> None:
    """Write adapters in both layouts.

    The embedded base model's shape is known to no other program: it gets diffusers' layout alone.
    """
    adapters = model_to_adapters(model)
    write_diffusers_file(adapters, folder, _pipeline(model))
    if model.architecture != "tiny":
        write_kohya_file(adapters, folder / KOHYA_FILE, model, base)


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


def card_to_text(card: Mapping[str, Any], loading: str) -> str:
    """Return the model card, in Markdown: trained on what, on what terms, not for what.

    Parameters
    ----------
    card : mapping
        With ``name``, ``base``, ``licence``, ``concepts`` and ``settings``.
    loading : str
        How the folder is loaded.

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
        loading=loading,
        trained=_trained_words(training),
        exported=_exported_words(card.get("checkpoint")),
        **training,
    )


def _exported_words(checkpoint: Mapping[str, Any] | None) -> str:
    """Say which weights are exported."""
    chosen = f" of step {checkpoint['step']} of {checkpoint['last']}" if checkpoint else ""
    return f"the averaged weights{chosen} are what is exported"


def _trained_words(training: Mapping[str, Any]) -> str:
    """Return what was trained: all weights, or adapters of which rank and where."""
    if training["method"] == "full":
        return "all weights"
    targets = training["lora_targets"].replace("_", " ")
    return f"LoRA (arXiv 2106.09685) of rank {training['lora_rank']} on {targets}"
