"""Planted copies: places of training fields, changed as a model or a file format would."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from pipeline_lib.imaging.camera_noise import CameraNoise, add_camera_noise
from pipeline_lib.imaging.views import apply_view, modality_to_views
from pipeline_lib.randomness import key_of

Images = npt.NDArray[np.uint8]
RoundTrip = Callable[[Images], Images]

VIEWS = modality_to_views("brightfield")
LARGEST_SHIFT = 8
SHIFTS = (0.5, 1.0, 2.0, 3.3, 5.0, 8.0)
MOVED = 3.0
GAIN, BASE, OFFSET = 0.6, 50.0, -15.0
NOISE, QUALITY, BLUR = 10.0, 75, 2.0


@dataclass(frozen=True)
class Planted:
    """Where copies are taken from, and what is known of the autoencoder.

    Attributes
    ----------
    fields : sequence of ndarray
        (Y, X) uint8 training fields.
    side : int
        Of the copies, pixels.
    round_trip : callable
        Takes (N, S, S) uint8 and returns it after the autoencoder.
    noise : CameraNoise
        What synthetic images are given back.
    """

    fields: Sequence[Images]
    side: int
    round_trip: RoundTrip
    noise: CameraNoise

    def cut(self, shift: float = 0.0) -> Images:
        """Cut the same places of every field, all moved down and right."""
        return np.concatenate([cut_field(field, self.side, shift) for field in self.fields])

    def decoded(self, images: Images) -> Images:
        """Return images as a model that remembers them would make them."""
        return give_noise(self.round_trip(images), self.noise)

    def iterate(self) -> Iterator[tuple[str, Images]]:
        """Yield every kind of copy by name."""
        tiles = self.cut()
        yield "exact", tiles
        yield f"gain {GAIN}", to_grey(GAIN * tiles + BASE)
        yield f"offset {OFFSET:g}", to_grey(tiles + OFFSET)
        for number, view in enumerate(VIEWS[1:], start=1):
            yield f"view {number}", apply_view(tiles, view)
        for shift in SHIFTS:
            yield f"shifted {shift:g} px", self.cut(shift)
        yield f"noise {NOISE:g}", add_noise(tiles)
        yield f"JPEG {QUALITY}", through_jpeg(tiles)
        moved = self.cut(MOVED)
        yield "autoencoder", self.round_trip(tiles)
        yield f"autoencoder, shifted {MOVED:g} px", self.round_trip(moved)
        yield f"autoencoder, camera noise, shifted {MOVED:g} px", self.decoded(moved)


def to_grey(values: npt.NDArray[np.floating]) -> Images:
    """Round grey values to 8 bits."""
    return np.rint(values).clip(0, 255).astype(np.uint8)


def length_to_starts(length: int, side: int) -> npt.NDArray[np.int_]:
    """Return where tiles begin along a side, so that all can be moved and stay inside."""
    room = length - side - LARGEST_SHIFT - 1
    return np.linspace(0, room, max(1, (room + side) // side)).astype(int)


def cut_field(field: Images, side: int, shift: float = 0.0) -> Images:
    """Cut a field into tiles that begin some pixels further down and right, (N, side, side)."""
    moved = ndimage.shift(field.astype(float), (-shift, -shift), order=3, mode="mirror")
    rows, columns = (length_to_starts(length, side) for length in field.shape)
    tiles = [moved[row : row + side, column : column + side] for row in rows for column in columns]
    return to_grey(np.stack(tiles))


def give_noise(images: Images, noise: CameraNoise) -> Images:
    """Add the camera's noise to images as synthetic ones are given it."""
    return add_camera_noise(
        images, noise, [key_of("planted", 0, "copies", number) for number in range(len(images))]
    )


def add_noise(images: Images) -> Images:
    """Add white noise."""
    generator = np.random.default_rng(5)
    return to_grey(images + generator.normal(0, NOISE, images.shape))


def through_jpeg(images: Images) -> Images:
    """Write images as JPEG and read them again."""
    return np.stack([_through_jpeg(image) for image in images])


def _through_jpeg(image: Images) -> Images:
    """Write one image as JPEG and read it again."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=QUALITY)
    return np.asarray(Image.open(file))


def real_forms(images: Images, decoded: RoundTrip) -> Iterator[tuple[str, Images]]:
    """Yield tiles that are no copies as they are, through the autoencoder, and blurred."""
    blur = partial(ndimage.gaussian_filter, sigma=(0, BLUR, BLUR))
    yield "as they are", images
    yield "autoencoder, camera noise", decoded(images)
    yield f"blurred {BLUR:g} px", to_grey(blur(images.astype(float)))
