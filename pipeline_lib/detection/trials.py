"""One trial: a detector, trained on a set of images, and what it finds in held-out ones."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.torch import load_file, save_file

from pipeline_lib.detection.instances import Finder, Found, drop_small
from pipeline_lib.detection.network import Detector, fresh_detector
from pipeline_lib.detection.objective import (
    LabelledImages,
    TrainedDetector,
    find_objects,
    settings_to_course,
)
from pipeline_lib.detection.scores import matched_objects
from pipeline_lib.detection.ultralytics_detector import read_yolo, train_yolo
from pipeline_lib.files import atomic_path
from pipeline_lib.imaging.digests import stack_to_sha256
from pipeline_lib.imaging.views import View
from pipeline_lib.models.devices import default_device
from pipeline_lib.randomness import key_of
from pipeline_lib.settings.detection import DetectorSettings
from pipeline_lib.training.checkpoints import exclusive, training_key
from pipeline_lib.training.devices import make_accelerator
from pipeline_lib.training.running import run_training
from pipeline_lib.training.state import (
    MODEL,
    begun_with,
    clear,
    is_finished,
    mark_finished,
)
from pipeline_lib.training.trainer import Trainer

WEIGHTS = "detector.safetensors"


@dataclass(frozen=True)
class Trial:
    """What a detector is trained on, and how."""

    given: LabelledImages
    settings: DetectorSettings
    views: tuple[View, ...]
    seed: int

    def key(self, version: int) -> str:
        """Return the name of its state folder: a hash of all that shapes the weights."""
        told = {
            "settings": self.settings.model_dump(mode="json", include=self._shaping()),
            "views": [vars(view) for view in self.views],
            "seed": self.seed,
            "given": [stack_to_sha256(array) for array in vars(self.given).values()],
        }
        return training_key(told, version)

    def _shaping(self) -> set[str]:
        """Return the names of the settings that shape this detector's weights."""
        if self.settings.detector == "ultralytics":
            return {"steps", "batch_size", "detector", "ultralytics_model"}
        return {"steps", "batch_size", "learning_rate"}


def trained_model(trial: Trial, states: Path, version: int, name: str) -> Path:
    """Train a detector, or go on, or take what an equal trial left.

    Parameters
    ----------
    trial : Trial
        What to train on.
    states : Path
        Folder of the states.
    version : int
        The stage's `RESULT_VERSION`.
    name : str
        For the progress bar.

    Returns
    -------
    Path
        Folder of the trained model.
    """
    folder = states / trial.key(version)
    train = {"unet": _train_unet, "ultralytics": _train_yolo}[trial.settings.detector]
    with exclusive(folder):
        if is_finished(folder):
            clear(folder)
        else:
            train(trial, folder, name)
            mark_finished(folder)
    return folder / MODEL


def model_to_finder(model: Path, settings: DetectorSettings) -> Finder:
    """Return what finds objects by a trained model."""
    if settings.detector == "ultralytics":
        return read_yolo(model)
    return partial(find_objects, read_unet(model))


def read_unet(model: Path) -> Detector:
    """Return a trained U-Net with its averaged weights."""
    device = default_device()
    network = fresh_detector(0).to(device)
    network.load_state_dict(load_file(model / WEIGHTS, device=str(device)))
    return network


def _train_unet(trial: Trial, folder: Path, name: str) -> None:
    """Train to the end in a state folder, and leave the averaged weights there."""
    # Its libraries take seconds, and a finished trial needs none of them.
    from pipeline_lib.models.loading import precision_to_dtype

    device = default_device()
    network = fresh_detector(key_of("detector start", trial.seed) >> 1).to(device)
    objective = TrainedDetector(network, trial.given, trial.settings, trial.views, trial.seed)
    course = settings_to_course(trial.settings, device)
    dtype = begun_with(folder, precision_to_dtype("auto", device))
    trainer = Trainer(objective, course, make_accelerator(dtype, device))
    run_training(trainer, folder, name)
    weights = {key: one.cpu().contiguous() for key, one in trainer.average.averages.items()}
    with atomic_path(folder / MODEL) as beside:
        beside.mkdir()
        save_file(weights, beside / WEIGHTS)


def _train_yolo(trial: Trial, folder: Path, name: str) -> None:
    """Train a detector of ultralytics, from its start: a cut one does not go on."""
    logging.info("%s: ultralytics trains", name)
    train_yolo(trial.given, trial.settings, trial.views, trial.seed, folder)


@dataclass(frozen=True)
class HeldOutTiles:
    """Held-out real tiles whose objects are known; all run over the tiles.

    Attributes
    ----------
    images : ndarray of uint8
        (N, Y, X).
    truth : list of ndarray
        (Y, X) int each: true objects, from 1 without a gap.
    """

    images: npt.NDArray[np.uint8]
    truth: Sequence[npt.NDArray[np.integer]]

    @property
    def objects(self) -> list[int]:
        """Return the number of true objects of each tile."""
        return [int(one.max(initial=0)) for one in self.truth]


def masks_to_test(
    images: npt.NDArray[np.uint8], masks: Sequence[npt.NDArray[np.integer]]
) -> HeldOutTiles:
    """Return the tiles to test on; slivers of objects that a border cut off are none."""
    return HeldOutTiles(images, [drop_small(_numbered(one)) for one in masks])


def _numbered(labels: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
    """Return labels from 1 without a gap."""
    return np.unique(np.append(0, labels), return_inverse=True)[1][1:].reshape(labels.shape)


def found_to_rows(found: Sequence[Found], test: HeldOutTiles) -> list[dict[str, Any]]:
    """Return a row for each found object: tile, score, and whether it is a true one."""
    return [
        {"tile": tile, "score": float(score), "matched": int(hit)}
        for tile, (one, truth) in enumerate(zip(found, test.truth, strict=True))
        for score, hit in zip(one.scores, matched_objects(one.labels, truth), strict=True)
    ]


def finder_to_labelled(
    find: Finder, images: npt.NDArray[np.uint8], minimum_confidence: float
) -> LabelledImages:
    """Return images with the objects that a detector finds; unsure ones are not known to be any."""
    found = find(images)
    doubted = [np.append(False, one.scores < minimum_confidence)[one.labels] for one in found]
    labels = [np.where(unsure, 0, one.labels) for one, unsure in zip(found, doubted, strict=True)]
    return LabelledImages(images, np.stack(labels), np.stack(doubted))
