"""Tuned decoders beside exported weights, and how they are loaded."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline_lib.files import folder_to_sha256, read_json
from pipeline_lib.models.decoders import AUTOENCODER, DECODER_CARD
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.trained_concepts import TrainedConcept

INCLUDED = """\
`{folder}/` is loaded with the rest: its decoder was tuned to the training tiles."""
BESIDE = """\
`{folder}/` is an autoencoder with a decoder that was tuned to the training tiles{of}:

```python
pipeline.vae = diffusers.AutoencoderKL.from_pretrained(FOLDER, subfolder="{folder}")
```"""
IN_COMFYUI = """\
In ComfyUI, copy `{folder}/diffusion_pytorch_model.safetensors` to `models/vae/` under another name,
and use the node *Load VAE*."""


def concepts_to_decoders(
    concepts: Sequence[TrainedConcept], folders: Sequence[Path]
) -> dict[str, Path]:
    """Return the tuned decoder of each concept that has one.

    Parameters
    ----------
    concepts : sequence of TrainedConcept
        Of a run.
    folders : sequence of Path
        That the stage `tune_decoder` wrote, in any order.

    Returns
    -------
    dict
        Folders by concept.

    Raises
    ------
    UserError
        If a decoder was tuned to none of the concepts' datasets.
    """
    of_dataset = {one.dataset: one.concept for one in concepts}
    found = {}
    for folder in folders:
        dataset = read_json(folder / DECODER_CARD)["dataset"]
        if dataset not in of_dataset:
            raise UserError(
                f"{folder} holds a decoder tuned to dataset `{dataset}`, and the run trains "
                f"{', '.join(of_dataset)}: give decoders of these (--decoders), or none"
            )
        found[of_dataset[dataset]] = folder
    return found


def decoders_to_sha256(decoders: Mapping[str, Path]) -> dict[str, dict[str, str]]:
    """Return the SHA-256 of every file of the decoders, by concept."""
    return {concept: folder_to_sha256(folder) for concept, folder in decoders.items()}


def add_decoders(
    folder: Path, decoders: Mapping[str, Path], concepts: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Copy tuned decoders into a folder of exported weights.

    Parameters
    ----------
    folder : Path
        With the weights.
    decoders : mapping
        Folders of tuned decoders by concept.
    concepts : sequence of str
        All of the run: the decoder of a single one takes the place of the base model's own.

    Returns
    -------
    dict
        What a model's card says, by concept: the decoder's folder, and its own card.
    """
    said = {}
    for concept, source in decoders.items():
        name = AUTOENCODER if len(concepts) == 1 else f"{AUTOENCODER}_{concept}"
        if (folder / name).exists():
            shutil.rmtree(folder / name)
        shutil.copytree(source / AUTOENCODER, folder / name)
        said[concept] = {"folder": name, **read_json(source / DECODER_CARD)}
    return said


def decoders_to_loading(card: Mapping[str, Any]) -> list[str]:
    """Return how the tuned decoders of an exported model are loaded, a paragraph each."""
    decoders = card.get("decoders", {})
    paragraphs = []
    for concept, said in decoders.items():
        of = f" of {concept}" if said["folder"] != AUTOENCODER else ""
        included = card["method"] == "full" and said["folder"] == AUTOENCODER
        words = INCLUDED if included else BESIDE
        paragraphs.append(words.format(folder=said["folder"], of=of))
        if card["architecture"] != "tiny":
            paragraphs.append(IN_COMFYUI.format(folder=said["folder"]))
    return paragraphs
