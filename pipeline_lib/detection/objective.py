"""A detector as an objective of the training loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from pipeline_lib.detection.instances import Found, labels_to_targets, maps_to_found
from pipeline_lib.detection.network import Detector
from pipeline_lib.imaging.views import View, apply_view
from pipeline_lib.randomness import key_of
from pipeline_lib.settings.detection import DetectorSettings
from pipeline_lib.training.course import Course, read_every_on
from pipeline_lib.training.objective import Losses, Mends, WeightGroup

Images = npt.NDArray[np.uint8]
BATCH = 16  # of images that are looked at at once, without gradients


@dataclass(frozen=True)
class LabelledImages:
    """Images with what is known of them; all run over the images.

    Attributes
    ----------
    images : ndarray of uint8
        (N, Y, X).
    labels : ndarray of int
        (N, Y, X): 0 for the background, each object its number.
    unsure : ndarray of bool
        (N, Y, X): pixels of which is not known whether they are objects.
    """

    images: Images
    labels: npt.NDArray[np.integer]
    unsure: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.images)

    def chosen(self, places: npt.NDArray[np.integer]) -> LabelledImages:
        """Return some of the images, in the order of their places."""
        return LabelledImages(self.images[places], self.labels[places], self.unsure[places])

    def joined(self, other: LabelledImages) -> LabelledImages:
        """Return these images and then the others."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return LabelledImages(*(np.concatenate(pair) for pair in pairs))


Piece = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


class TrainedDetector:
    """A detector that learns from labelled images, real and synthetic ones alike.

    Parameters
    ----------
    network : Detector
        Trained in place.
    given : LabelledImages
        What it learns from.
    settings : DetectorSettings
        How.
    views : sequence of View
        Orientations that the light allows.
    seed : int
        Decides which images are drawn when, and how they are turned.
    """

    columns = ("loss", "inside", "depth")
    mends = Mends(
        divergence="Lower downstream.learning_rate.",
        memory="Lower downstream.batch_size, or take a machine with more memory.",
    )

    def __init__(
        self,
        network: Detector,
        given: LabelledImages,
        settings: DetectorSettings,
        views: Sequence[View],
        seed: int,
    ) -> None:
        self.network, self.given, self.settings = network, given, settings
        self.views, self.seed = tuple(views), seed
        self.targets = np.stack([labels_to_targets(one) for one in given.labels])
        weights = dict(network.named_parameters())
        self.groups: Mapping[str, WeightGroup] = {
            "detector": WeightGroup(weights, settings.learning_rate)
        }

    def step_to_pieces(self, step: int) -> Sequence[Piece]:
        """Return the images of a step with their targets, as one piece."""
        drawn = [self._draw(step, slot) for slot in range(self.settings.batch_size)]
        return [tuple(torch.stack(part) for part in zip(*drawn, strict=True))]

    def _draw(self, step: int, slot: int) -> Piece:
        """Return an image, its targets and the weight of its pixels in one of the views."""
        key = key_of("detector", self.seed, step, slot)
        number = key * len(self.given) >> 64
        view = self.views[key % len(self.views)]
        sure = ~self.given.unsure[number]
        image = standardised(self.given.images[number])
        parts = (image[None], self.targets[number], sure[None].astype(np.float32))
        return tuple(torch.from_numpy(apply_view(part, view)) for part in parts)

    def piece_to_losses(self, piece: Piece) -> Losses:
        """Return the cross entropies of both maps, over the pixels of which something is known."""
        device = next(self.network.parameters()).device
        images, targets, sure = (part.to(device) for part in piece)
        logits = self.network(images.to(memory_format=torch.channels_last)).float()
        errors = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        inside, depth = (errors * sure).sum(dim=(0, 2, 3)) / sure.sum().clamp(min=1)
        return {"loss": inside + depth, "inside": inside, "depth": depth}

    def judge(self) -> dict[str, float]:
        """Return nothing: a detector is judged by what it finds, once it is trained."""
        return {}

    def draw_previews(self) -> dict[str, Images]:
        """Return nothing."""
        return {}


def settings_to_course(settings: DetectorSettings, device: torch.device) -> Course:
    """Return the course of the training loop that the settings ask for."""
    return Course(
        steps=settings.steps,
        warmup_steps=min(20, settings.steps // 10),
        constant_share=0.5,
        ema_decay=0.98,
        checkpoint_every=settings.steps,
        preview_every=settings.steps,
        read_every=read_every_on(device.type),
    )


def standardised(image: Images) -> npt.NDArray[np.float32]:
    """Return an image (Y, X) with mean 0 and standard deviation 1, real or synthetic alike."""
    values = image.astype(np.float32)
    return (values - values.mean()) / (values.std() + 1)


@torch.no_grad()
def find_objects(network: Detector, images: Images) -> list[Found]:
    """Return what a detector finds.

    Parameters
    ----------
    network : Detector
        Trained.
    images : ndarray of uint8
        (N, Y, X), sides in multiples of eight.

    Returns
    -------
    list of Found
        One for each image.
    """
    device = next(network.parameters()).device
    found = []
    for first in range(0, len(images), BATCH):
        given = np.stack([standardised(one) for one in images[first : first + BATCH]])
        maps = network(torch.from_numpy(given)[:, None].to(device)).float().sigmoid().cpu().numpy()
        found += [maps_to_found(*pair.astype(np.float64)) for pair in maps]
    return found
