"""Pictures for the page: all encoded alike."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from pipeline_lib.settings.base import UserError
from pipeline_lib.survey.trials import Trial

Images = npt.NDArray[np.uint8]


def check_alike(real: Images, synthetic: Images) -> None:
    """Refuse sets that differ in anything but what they show.

    Parameters
    ----------
    real, synthetic : ndarray
        Must be 8-bit grey (N, Y, X), of one size.

    Raises
    ------
    UserError
        If they are not: depth, colour or size would tell which is which.
    """
    for name, images in (("held-out tiles", real), ("synthetic images", synthetic)):
        if images.dtype != np.uint8 or images.ndim != 3:
            raise UserError(
                f"the {name} are {images.dtype} of the shape {images.shape}; a survey needs 8-bit "
                "grey images (N, Y, X), as the stages `tiles` and `sample` write them"
            )
    if len(real) and len(synthetic) and real.shape[1:] != synthetic.shape[1:]:
        sizes = ["x".join(map(str, images.shape[1:])) for images in (real, synthetic)]
        raise UserError(
            f"held-out tiles have {sizes[0]} pixels, synthetic images {sizes[1]}: the size would "
            "tell which is which; pass tiles and shards of one dataset"
        )


def image_to_plain_png(image: Images) -> bytes:
    """Return a PNG that says nothing but its pixels.

    Parameters
    ----------
    image : ndarray of uint8
        (Y, X).

    Returns
    -------
    bytes
        8-bit grey, no metadata, not compressed: images of one size have files of one length. A
        compressed length would tell smooth images from grainy ones.
    """
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG", compress_level=0)
    return buffer.getvalue()


def trial_to_pngs(trial: Trial, real: Images, synthetic: Images) -> Sequence[bytes]:
    """Return the pictures of a trial from left to right."""
    shown = [image_to_plain_png(synthetic[number]) for number in trial.synthetic]
    shown.insert(trial.target, image_to_plain_png(real[trial.real]))
    return shown
