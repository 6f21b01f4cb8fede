"""The pictures that a model from scratch draws while it is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from pipeline_lib.models.pictures import intensities_to_grey
from pipeline_lib.models.unconditional import UnconditionalModel, draw_unconditional
from pipeline_lib.randomness import key_of
from pipeline_lib.settings.denoising import Denoising

DRAWN_AT_ONCE, PIXELS_AT_ONCE = 16, 2**20  # the optimizer's state lies in the same memory
SAMPLER = Denoising(steps=20, spacing="log_snr", guidance=1.0)


@dataclass(frozen=True)
class LabelledDrawing:
    """Draws concepts from keys that never change.

    Attributes
    ----------
    model : UnconditionalModel
        With the weights that are in place when `draw` is called.
    labels : mapping
        Of each concept, None for one alone.
    size : int
        Side in pixels.
    seed : int
        Of the training.
    dtype : torch.dtype
        What the network computes in.
    """

    model: UnconditionalModel
    labels: Mapping[str, int | None]
    size: int
    seed: int
    dtype: torch.dtype = torch.float32

    @property
    def device_type(self) -> str:
        """Kind of device that it draws on."""
        return self.model.device.type

    def draw(self, concept: str, count: int) -> npt.NDArray[np.uint8]:
        """Return grey pictures (count, Y, X); the first are the same for every count.

        Their keys know a concept by its label, so that another name is the same training.
        """
        label = self.labels[concept]
        keys = [key_of("preview", self.seed, f"label {label or 0}", one) for one in range(count)]
        low = self.dtype != torch.float32
        at_once = max(1, min(DRAWN_AT_ONCE, PIXELS_AT_ONCE // self.size**2))
        with torch.autocast(self.device_type, self.dtype if low else None, enabled=low):
            drawn = draw_unconditional(self.model, label, keys, SAMPLER, self.size, at_once)
            values = torch.cat(list(drawn))
        # Half precision would cost grey levels in an autoencoder.
        with torch.autocast(self.device_type, enabled=False):
            grey = intensities_to_grey(self.model.to_intensities(values))
        return np.rint(grey).astype(np.uint8)
