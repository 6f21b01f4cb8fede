"""A detector of ultralytics (YOLO) in the place of the U-Net, where that package is installed.

It is under AGPL-3.0, which whoever passes on or serves what is built with it must keep.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pipeline_lib.detection.instances import Finder, Found, masks_to_found
from pipeline_lib.detection.objective import BATCH, LabelledImages
from pipeline_lib.files import atomic_path
from pipeline_lib.imaging.contact_sheets import write_png
from pipeline_lib.imaging.views import View, apply_view
from pipeline_lib.labels.yolo import labels_to_outlines, sets_to_data_yaml
from pipeline_lib.models.devices import default_device
from pipeline_lib.randomness import key_of
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.detection import DetectorSettings
from pipeline_lib.training.state import HISTORY, MODEL

WEIGHTS = "detector.pt"
EPOCHS = 20  # how often the list of images is gone through; its length follows from the steps
LEAST_SCORE = 0.01  # surer ones alone would cut the curve of precision over recall short
# Turned and mirrored here, as the light allows; batches make up for none that are not there.
TRAINING: dict[str, Any] = {
    "fliplr": 0.0,
    "flipud": 0.0,
    "degrees": 0.0,
    "amp": False,  # its check downloads weights
    "workers": 0,
    "val": False,
    "plots": False,
    "verbose": False,
    "deterministic": True,
}


def import_yolo() -> Any:
    """Return the class ``ultralytics.YOLO``.

    Returns
    -------
    type
        It neither asks the network nor leaves files in the user's folder.

    Raises
    ------
    UserError
        If it cannot be imported.
    """
    os.environ["YOLO_OFFLINE"] = "true"
    os.environ.setdefault("YOLO_CONFIG_DIR", tempfile.mkdtemp(prefix="ultralytics-"))
    try:
        from ultralytics import YOLO
    except ImportError as error:
        raise UserError(
            "downstream: detector: ultralytics needs the package ultralytics (AGPL-3.0), which "
            f"cannot be imported ({error}): `pip install '.[ultralytics]'`, or set detector to unet"
        ) from error
    return YOLO


def train_yolo(
    given: LabelledImages,
    settings: DetectorSettings,
    views: Sequence[View],
    seed: int,
    folder: Path,
) -> None:
    """Train by ultralytics' own defaults, but for the views that the light allows.

    Parameters
    ----------
    given : LabelledImages
        What it learns from; pixels of which nothing is known count as background.
    settings : DetectorSettings
        How long, with what batches, and which model.
    views : sequence of View
        Orientations that the light allows.
    seed : int
        Decides all that is drawn.
    folder : Path
        State folder, in which the losses and the weights of the last step are left.

    Raises
    ------
    UserError
        If ultralytics cannot be imported, or its model not be read.
    """
    network = _open(settings.ultralytics_model)
    epochs = min(EPOCHS, settings.steps)
    images = -(-settings.steps // epochs) * settings.batch_size
    threads = torch.get_num_threads()  # it takes one less than there are, for all that comes after
    with tempfile.TemporaryDirectory() as name:
        write_training_set(given, views, seed, images, Path(name))
        network.train(
            data=f"{name}/data.yaml",
            epochs=epochs,
            batch=settings.batch_size,
            nbs=settings.batch_size,
            imgsz=max(given.images.shape[1:]),
            device=str(default_device()),
            seed=seed,
            project=name,
            name="trained",
            **TRAINING,
        )
        torch.set_num_threads(threads)
        shutil.copyfile(f"{name}/trained/results.csv", folder / HISTORY)
        with atomic_path(folder / MODEL) as beside:
            beside.mkdir()
            shutil.copyfile(f"{name}/trained/weights/last.pt", beside / WEIGHTS)


def _open(model: str | Path) -> Any:
    """Return ultralytics' model of a name or file, which may not be fetched."""
    yolo = import_yolo()
    if str(model).endswith(".pt") and not Path(model).is_file():
        raise UserError(
            f"downstream: ultralytics_model: there is no file {model}; name weights that lie on "
            "disk, or an architecture of ultralytics such as yolo11n-seg.yaml"
        )
    network = yolo(str(model), verbose=False)
    if network.task != "segment":
        raise UserError(
            f"downstream: ultralytics_model: {model} is for the task {network.task!r} and finds no "
            "outlines; take a model for segmentation, such as yolo11n-seg.yaml"
        )
    return network


def write_training_set(
    given: LabelledImages, views: Sequence[View], seed: int, count: int, folder: Path
) -> None:
    """Write images and outlines as ultralytics reads them.

    Parameters
    ----------
    given : LabelledImages
        Images and objects.
    views : sequence of View
        Orientations that the light allows.
    seed : int
        Decides which image is turned how.
    count : int
        Images of an epoch: all are taken in turn, each time in a view that is drawn.
    folder : Path
        ``data.yaml`` names ``train.txt``, which names the images; what it validates by is one of
        them, since nothing is chosen by it.
    """
    for name in ("images", "labels"):
        (folder / name).mkdir()
    written = []
    for place in range(count):
        number = place % len(given)
        view = views[key_of("yolo view", seed, place) % len(views)]
        image, labels = (apply_view(one[number], view) for one in (given.images, given.labels))
        written.append(folder / "images" / f"{place:06d}.png")
        write_png(written[-1], image)
        (folder / "labels" / f"{place:06d}.txt").write_text(labels_to_outlines(labels))
    for name, paths in {"train": written, "val": written[:1]}.items():
        (folder / f"{name}.txt").write_text("".join(f"{path}\n" for path in paths))
    told = {name: str(folder / f"{name}.txt") for name in ("train", "val")}
    (folder / "data.yaml").write_text(sets_to_data_yaml(told, ["object"]))


def read_yolo(model: Path) -> Finder:
    """Return what finds objects by trained weights."""
    network = _open(model / WEIGHTS)
    return lambda images: _find(network, images)


def _find(network: Any, images: npt.NDArray[np.uint8]) -> list[Found]:
    """Return what a model of ultralytics finds."""
    found = []
    for first in range(0, len(images), BATCH):
        colour = [np.repeat(one[..., None], 3, 2) for one in images[first : first + BATCH]]
        found += network.predict(
            colour,
            imgsz=max(images.shape[1:]),
            conf=LEAST_SCORE,
            device=str(default_device()),
            retina_masks=True,
            verbose=False,
        )
    return [_result_to_found(one, images.shape[1:]) for one in found]


def _result_to_found(result: Any, shape: tuple[int, ...]) -> Found:
    """Return one image's result."""
    if result.masks is None:
        return Found(np.zeros(shape, np.int32), np.zeros(0))
    scores = result.boxes.conf.double().cpu().numpy()
    return masks_to_found(result.masks.data.cpu().numpy() > 0.5, scores)
