"""What images are drawn with, opened: the model with its decoder, the camera's noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline_lib.files import file_to_sha256, read_json
from pipeline_lib.imaging.camera_noise import CameraNoise, record_to_camera_noise
from pipeline_lib.models.cards import path_to_card
from pipeline_lib.models.decoders import DECODER_CARD, with_decoder
from pipeline_lib.models.loading import BaseModel, load_model, ready_to_draw
from pipeline_lib.models.unconditional import (
    UnconditionalModel,
    is_unconditional,
    load_unconditional,
)
from pipeline_lib.settings.base import Precision, UserError
from pipeline_lib.settings.sampling import SampleStage


@dataclass(frozen=True)
class DrawingFiles:
    """Files that images are drawn with.

    Attributes
    ----------
    model : Path
        Description of a base model, or the folder of a trained one.
    base : sequence of Path
        Description of the base model that a LoRA adds to, else none.
    decoders : sequence of Path
        Folder of the decoder tuned to the image set's dataset, none for the model's own.
    camera : sequence of Path
        Camera noise to give back, none if none is wanted.
    """

    model: Path
    base: Sequence[Path]
    decoders: Sequence[Path]
    camera: Sequence[Path]


@dataclass(frozen=True)
class Opened:
    """What images are drawn with.

    Attributes
    ----------
    model : BaseModel or UnconditionalModel
        Ready to draw.
    camera : CameraNoise or None
        What is given back.
    hashes : dict
        SHA-256 of what the files say of themselves, by name.
    """

    model: BaseModel | UnconditionalModel
    camera: CameraNoise | None
    hashes: dict[str, str]


def open_drawing(files: DrawingFiles, settings: SampleStage) -> Opened:
    """Open what an image set is drawn with.

    Parameters
    ----------
    files : DrawingFiles
        What to open.
    settings : SampleStage
        The image set.

    Returns
    -------
    Opened
        Model, noise and hashes.

    Raises
    ------
    UserError
        If files of the camera's noise and settings do not go together.
    """
    camera = read_camera(settings, files.camera)
    model = _load(files, settings.sampler.precision)
    inputs = {"model": path_to_card(files.model)} | ({"camera": files.camera[0]} if camera else {})
    for decoder in files.decoders[:1]:
        model = with_decoder(model, decoder)
        inputs["decoder"] = decoder / DECODER_CARD
    return Opened(model, camera, {name: file_to_sha256(path) for name, path in inputs.items()})


def _load(files: DrawingFiles, precision: Precision) -> BaseModel | UnconditionalModel:
    """Load what draws."""
    if is_unconditional(files.model):
        return load_unconditional(files.model, precision)
    base = files.base[0] if files.base else None
    return ready_to_draw(load_model(files.model, precision, base=base))


def read_camera(settings: SampleStage, paths: Sequence[Path]) -> CameraNoise | None:
    """Return the noise to give back, none if none is wanted."""
    wanted = int(settings.camera_noise == "measured")
    if len(paths) != wanted:
        raise UserError(
            f"--camera needs {wanted} files where `camera_noise` is `{settings.camera_noise}`, "
            f"found {len(paths)}; pass what the stage `camera` wrote, or change `camera_noise`"
        )
    return record_to_camera_noise(read_json(paths[0])) if wanted else None
