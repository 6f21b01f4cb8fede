"""The cards of a release and of its model, in Markdown with the front matter that hubs read."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import jinja2
import yaml

from pipeline_lib.release.facts import Release
from pipeline_lib.release.licences import licence_to_hub
from pipeline_lib.release.tables import COLUMNS, METADATA

DATA_CARD, MODEL_CARD = "README.md", "model_card.md"
SHOWN_SOURCES = 30
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
FAMILIES = {"sd15": "stable-diffusion", "sd21": "stable-diffusion", "sdxl": "stable-diffusion-xl"}


def release_to_data_card(release: Release) -> str:
    """Return README.md of a release: what it holds, whence it is, on what terms, not for what.

    Parameters
    ----------
    release : Release
        What is known of it.

    Returns
    -------
    str
        Markdown; its front matter is that of the Hugging Face hub's data sets, and tells
        `datasets.load_dataset` which files are the images and which their table.
    """
    split = {"split": "train", "path": [METADATA, release.pattern]}
    matter = {
        "pretty_name": release.run,
        **licence_to_hub(release.settings.licence),
        "language": ["en"],
        "task_categories": ["text-to-image"],
        "size_categories": [_size(len(release.images))],
        "tags": ["synthetic", "microscopy", *_tags(release)],
        "configs": [{"config_name": "default", "data_files": [split]}],
    }
    return _card("data_card.md", matter, release)


def release_to_model_card(release: Release, text: str) -> str:
    """Return the card of a release's model, to go with its folder to a hub.

    Parameters
    ----------
    release : Release
        What is known of it.
    text : str
        README.md of the model's folder.

    Returns
    -------
    str
        Markdown; its front matter is that of diffusers' models of DreamBooth.
    """
    card = release.card
    if release.from_scratch:
        return _scratch_card(release, text)
    kind = "lora" if card.get("method") == "lora" else "diffusers-training"
    family = FAMILIES.get(card["architecture"])
    tags = ["text-to-image", "diffusers", "dreambooth", kind, family, "microscopy"]
    matter = {
        **({"base_model": release.base_address} if release.base_address else {}),
        **licence_to_hub(card["licence"]),
        "library_name": "diffusers",
        "pipeline_tag": "text-to-image",
        "instance_prompt": next(iter(card["concepts"].values()))["prompt"],
        "tags": [*filter(None, tags), *_tags(release)],
    }
    return _card("model_card.md", matter, release, text=text.strip())


def _scratch_card(release: Release, text: str) -> str:
    """Return the card of a model without prompts, as hubs know such models."""
    matter = {
        **licence_to_hub(release.settings.licence),
        "library_name": "diffusers",
        "pipeline_tag": "unconditional-image-generation",
        "tags": ["unconditional-image-generation", "diffusers", "microscopy", *_tags(release)],
    }
    return _card("model_card.md", matter, release, text=text.strip())


def _tags(release: Release) -> list[str]:
    """Return the light as tags, which have no spaces."""
    return [modality.replace(" ", "-") for modality in release.modalities]


def _size(count: int) -> str:
    """Return the hub's class of a number of images."""
    return next((name for limit, name in SIZES if count < limit), "n>1M")


def _card(template: str, matter: dict[str, Any], release: Release, **more: str) -> str:
    """Fill a template and put its front matter before it."""
    folder = files("pipeline_lib.release") / "templates"
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown, not HTML
    )
    source = (folder / f"{template}.jinja").read_text(encoding="utf-8")
    told = {"release": release, "columns": COLUMNS, "shown_sources": SHOWN_SOURCES, **more}
    head = yaml.safe_dump(matter, sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{head}---\n\n{environment.from_string(source).render(told)}"
