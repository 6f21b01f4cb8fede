"""A model from scratch as a folder that plain diffusers loads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline_lib.files import folder_to_sha256, write_json
from pipeline_lib.models.cards import TRAINED_CARD
from pipeline_lib.models.decoders import AUTOENCODER
from pipeline_lib.models.schedulers import velocity_schedule
from pipeline_lib.models.unconditional import UnconditionalModel, coding_to_record
from pipeline_lib.settings.from_scratch import FROM_SCRATCH

README = "README.md"
LICENCE = "of whoever trained it: it holds nothing of a base model"
CARD_TEXT = """\
# {name}

A diffusion model of microscope pictures without prompts, trained from scratch with Brightbooth. Its
pictures are synthetic.

| concept | label | noun | modality | training tiles |
|---|---|---|---|---|
{rows}

- It denoises {space}. {origin}
- Training: {steps} steps of {batch_size} tiles, seed {seed}; {exported}.
- Every setting, the hashes of what went in and the package versions: `brightbooth.json`.

Not for diagnosis, and not evidence of anything about cells: the pictures show what the training
images made likely, and can be near copies of them. Say that they are synthetic where you publish
them or train with them.

Load it with diffusers, whose pipelines know neither labels nor how its values become grey:

```python
{code}```
"""
CODE = """\
import torch
{imports}
unet = UNet2DModel.from_pretrained(FOLDER, subfolder="unet")
scheduler = DDIMScheduler.from_pretrained(FOLDER, subfolder="scheduler")
scheduler.set_timesteps(50)
values = torch.randn(4, {channels}, {side}, {side}, generator=torch.Generator().manual_seed(0))
with torch.no_grad():
    for timestep in scheduler.timesteps:
        velocity = unet(values, timestep{label}).sample
        values = scheduler.step(velocity, timestep, values).prev_sample
{decoding}"""
OF_PIXELS = """\
grey = torch.nn.functional.pixel_shuffle(values, {patch})[:, 0] * {scale!r} + {mean!r}
"""
OF_LATENTS = """\
    vae = AutoencoderKL.from_pretrained(FOLDER, subfolder="vae")
    decoded = vae.decode(values / vae.config.scaling_factor + (vae.config.shift_factor or 0)).sample
    grey = ((decoded + 1) / 2).clamp(0, 1).mean(1) * 255
"""
ORIGINS = {
    "pixels": "It holds nothing of a base model. The camera's noise is learnt with the rest.",
    "latents": "The autoencoder is that of the base model {base}, whose terms bind it: {licence}. "
    "An autoencoder passes little of the camera's noise.",
}


def write_weights(model: UnconditionalModel, folder: Path) -> dict[str, Any]:
    """Write a model as safetensors, its parts in the diffusers layout.

    Parameters
    ----------
    model : UnconditionalModel
        With the weights that shall be exported in place.
    folder : Path
        New folder.

    Returns
    -------
    dict
        JSON-able: method, space and so on, for the card.
    """
    folder.mkdir(parents=True)
    model.unet.save_pretrained(folder / "unet")
    velocity_schedule().save_pretrained(folder / "scheduler")
    coding = {}
    if model.pixels is None:
        model.vae.save_pretrained(folder / AUTOENCODER)
    else:
        coding = {"pixels": coding_to_record(model.pixels)}
    return {
        "method": FROM_SCRATCH,
        "architecture": "unconditional",
        "prediction_type": model.scheduler_config["prediction_type"],
        **coding,
        "licence": LICENCE if coding else model.card.get("licence", ""),
    }


def write_card(folder: Path, card: Mapping[str, Any]) -> None:
    """Write what is said of exported weights, for programs and for people.

    Parameters
    ----------
    folder : Path
        With the weights.
    card : mapping
        JSON-able: what `write_weights` returned, and ``name``, ``base``, ``size``, ``concepts``,
        ``settings``, ``provenance`` and so on; hashes of the files are added.
    """
    (folder / README).write_text(card_to_text(card), encoding="utf-8")
    said = {**card, "folder": ".", "synthetic": True, "files": folder_to_sha256(folder)}
    write_json(folder / TRAINED_CARD, said)


def card_to_text(card: Mapping[str, Any]) -> str:
    """Return the model card, in Markdown: trained on what, on what terms, how it is loaded."""
    training = card["settings"]["training"]
    rows = [
        f"| {name} | {one.get('label', 'none')} | {one['noun']} | {one['modality']} | "
        f"{one['tiles']} |"
        for name, one in card["concepts"].items()
    ]
    checkpoint = card.get("checkpoint")
    chosen = f" of step {checkpoint['step']} of {checkpoint['last']}" if checkpoint else ""
    return CARD_TEXT.format(
        name=card["name"],
        rows="\n".join(rows),
        space=training["space"],
        origin=ORIGINS[training["space"]].format(**card),
        exported=f"the averaged weights{chosen} are what is exported",
        code=card_to_code(card),
        **{key: training[key] for key in ("steps", "batch_size", "seed")},
    )


def card_to_code(card: Mapping[str, Any]) -> str:
    """Return how a model is loaded and draws, in lines of Python that know no other package."""
    pixels = card.get("pixels")
    channels, side, _ = card["value_shape"]
    several = len(card["concepts"]) > 1
    parts = [*([] if pixels else ["AutoencoderKL"]), "DDIMScheduler", "UNet2DModel"]
    return CODE.format(
        imports=f"from diffusers import {', '.join(parts)}\n",
        channels=channels,
        side=side,
        label=", class_labels=torch.zeros(4, dtype=torch.long)" if several else "",
        decoding=OF_PIXELS.format(**pixels) if pixels else OF_LATENTS,
    )
