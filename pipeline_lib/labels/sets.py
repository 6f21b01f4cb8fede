"""A set of labelled images in its folder: images, label images, boxes, and COCO's file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

from pipeline_lib.imaging.choices import even_choice
from pipeline_lib.imaging.png_writing import write_png_image
from pipeline_lib.imaging.writing import write_plain_image
from pipeline_lib.labels.coco import Record, instances_to_annotations, to_coco
from pipeline_lib.labels.instances import Instances
from pipeline_lib.labels.overlays import labels_to_overlay, overlays_to_sheet
from pipeline_lib.labels.yolo import instances_to_lines

IMAGES, MASKS, BOXES = "images", "masks", "labels"  # readers of YOLO look for the latter name
COCO_FILE = "instances.json"
OVERLAY = "overlay.png"
SHOWN = 24
Format = Literal["png", "tiff"]
SUFFIXES: dict[Format, str] = {"png": ".png", "tiff": ".tif"}
WRITERS: dict[Format, Callable[..., None]] = {"png": write_png_image, "tiff": write_plain_image}


@dataclass
class LabelledSet:
    """A set that images are added to, one after another.

    Attributes
    ----------
    folder : Path
        Where it is written.
    name : str
        ``synthetic``, ``train`` or ``holdout``.
    nouns : tuple of str
        All classes of the export, in order.
    form : str
        File format of the images, the same for all of an export, so that no detector learns which
        one the synthetic ones have.
    """

    folder: Path
    name: str
    nouns: tuple[str, ...]
    form: Format
    images: list[Record] = field(default_factory=list)
    annotations: list[Record] = field(default_factory=list)
    confidences: list[list[float]] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Make the folders."""
        for part in (IMAGES, MASKS, BOXES):
            (self.folder / part).mkdir(parents=True)

    @property
    def synthetic(self) -> bool:
        """Whether the set's images were drawn."""
        return self.name == "synthetic"

    def leave_out(self, reason: str) -> None:
        """Count an image that is left out."""
        self.left_out[reason] += 1

    def add(
        self,
        name: str,
        image: npt.NDArray[np.uint8],
        instances: Instances,
        noun: str,
        pixel_size_um: float | None,
        told: Record,
    ) -> None:
        """Write an image with its labels.

        Parameters
        ----------
        name : str
            Of its files, without a suffix; each once.
        image : ndarray
            (Y, X) uint8.
        instances : Instances
            Its objects.
        noun : str
            What they are, one of the set's nouns.
        pixel_size_um : float or None
            Width of a pixel in micrometres.
        told : dict
            What else its files say of it; the same keys for all images.
        """
        number = self.nouns.index(noun)
        told = {**told, "set": self.name, "synthetic": self.synthetic}
        file = f"{name}{SUFFIXES[self.form]}"
        WRITERS[self.form](self.folder / IMAGES / file, image, pixel_size_um, told)
        confidences = instances.confidences.round(4).tolist()
        mask_told = {**told, "confidences": confidences, "truncated": instances.truncated.tolist()}
        mask = self.folder / MASKS / f"{name}.tif"
        write_plain_image(mask, instances.labels, pixel_size_um, mask_told, compression="zlib")
        lines = instances_to_lines(instances, number)
        (self.folder / BOXES / f"{name}.txt").write_text(lines)
        height, width = image.shape
        image_id = len(self.images) + 1
        self.images.append(
            {"id": image_id, "file_name": file, "height": height, "width": width, **told}
        )
        self.annotations += instances_to_annotations(
            instances, image_id, number + 1, len(self.annotations) + 1
        )
        self.confidences.append(confidences)

    def close(self, told: Record) -> None:
        """Write COCO's file, whose ``info`` is `told`, and the picture."""
        info = {**told, "set": self.name, "synthetic": self.synthetic}
        coco = to_coco(self.images, self.annotations, self.nouns, info)
        text = json.dumps(coco, separators=(",", ":"), allow_nan=False)
        (self.folder / COCO_FILE).write_text(text + "\n", encoding="utf-8")
        if self.images:
            chosen = even_choice(len(self.images), SHOWN)
            sheet = overlays_to_sheet([self._draw(int(number)) for number in chosen])
            Image.fromarray(sheet).save(self.folder / OVERLAY)

    def _draw(self, number: int) -> npt.NDArray[np.uint8]:
        """Return an image with outlines, from its files."""
        file = Path(self.images[number]["file_name"])
        with Image.open(self.folder / IMAGES / file) as image:
            pixels = np.asarray(image)
        labels = tifffile.imread(self.folder / MASKS / f"{file.stem}.tif")
        return labels_to_overlay(pixels, labels, self.confidences[number])

    def summary(self) -> dict[str, Any]:
        """Return what was written and what was left out, in numbers."""
        scores = [one["score"] for one in self.annotations]
        return {
            "images": len(self.images),
            "objects": len(self.annotations),
            "truncated": sum(one["truncated"] for one in self.annotations),
            "mean_confidence": round(float(np.mean(scores)), 4) if scores else None,
            "left_out": dict(self.left_out),
        }
