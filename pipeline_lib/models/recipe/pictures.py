"""The simulated pictures that the base model learns from, and the autoencoder's crops of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pipeline_lib.models.recipe.settings import PictureRecipe
from pipeline_lib.optics import draw_scene_settings, picture_to_8bit, simulate_picture

ByteStack = npt.NDArray[np.uint8]
FloatImage = npt.NDArray[np.float32]


@dataclass(frozen=True)
class CaptionedPictures:
    """Pictures with what they show.

    Parameters
    ----------
    images : ndarray of uint8, (pictures, rows, columns)
        Grey levels.
    captions : list of str
        One a picture.
    kinds : list of str
        The kind of object, one of `pipeline_lib.optics.KINDS`.
    """

    images: ByteStack
    captions: list[str]
    kinds: list[str]


def simulate_pictures(recipe: PictureRecipe, start: int, stop: int) -> CaptionedPictures:
    """Simulate some of the recipe's pictures.

    Parameters
    ----------
    recipe : PictureRecipe
        Seed and size.
    start, stop : int
        Range of their numbers; a picture depends on seed, size and its number alone.

    Returns
    -------
    CaptionedPictures
        In the order of their numbers.
    """
    images, captions, kinds = [], [], []
    for number in range(start, stop):
        key = (recipe.seed, number)
        settings = draw_scene_settings(key, shape=(recipe.size, recipe.size))
        picture = simulate_picture(key, settings)
        images.append(picture_to_8bit(picture))
        captions.append(picture.caption)
        kinds.append(settings.kind)
    return CaptionedPictures(np.stack(images), captions, kinds)


def turn_pictures(images: ByteStack, seed: int, view: int) -> ByteStack:
    """Turn and flip square pictures, each in its own way.

    Parameters
    ----------
    images : ndarray of uint8, (pictures, side, side)
        Pictures. No caption says where oblique light comes from, so that all eight ways are true.
    seed : int
        Seed of the ways.
    view : int
        0 leaves the pictures as they are; each of 1 to 7 is another way for every picture.

    Returns
    -------
    ndarray of uint8, (pictures, side, side)
        Turned pictures.
    """
    first = np.random.Generator(np.random.Philox(seed)).integers(7, size=len(images))
    ways = (first + view - 1) % 7 + 1 if view else np.zeros(len(images), int)
    turned = [np.rot90(image, way % 4) for image, way in zip(images, ways, strict=True)]
    return np.stack(
        [image[:, ::-1] if way >= 4 else image for image, way in zip(turned, ways, strict=True)]
    )


def pictures_to_crops(
    images: ByteStack, crops: int, size: int, generator: np.random.Generator
) -> ByteStack:
    """Cut crops that vary far more in grey level, contrast and noise than the pictures do.

    An autoencoder that has seen mid-grey pictures only decodes bright backgrounds to mid-grey.

    Parameters
    ----------
    images : ndarray of uint8, (pictures, rows, columns)
        Pictures.
    crops : int
        Number of crops.
    size : int
        Their side in pixels.
    generator : numpy.random.Generator
        Source of all choices.

    Returns
    -------
    ndarray of uint8, (crops, size, size)
        Half of them changed in turn or flip only, half in contrast, level, blur and noise as well.
    """
    numbers = generator.integers(len(images), size=crops)
    return np.stack([_draw_crop(images[number], size, generator) for number in numbers])


def _draw_crop(
    image: npt.NDArray[np.uint8], size: int, generator: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Cut, turn and perhaps change one crop."""
    row, column = (int(generator.integers(side - size + 1)) for side in image.shape)
    crop = np.rot90(image[row : row + size, column : column + size], int(generator.integers(4)))
    if generator.uniform() < 0.5:
        crop = crop[:, ::-1]
    if generator.uniform() < 0.5:
        return np.ascontiguousarray(crop)
    changed = _change_levels(crop.astype(np.float32), generator)
    if generator.uniform() < 0.3:
        changed = ndimage.gaussian_filter(changed, generator.uniform(0.3, 1.5))
    changed = changed + _draw_noise(changed.shape, generator)
    return np.clip(np.rint(changed), 0, 255).astype(np.uint8)


def _change_levels(crop: FloatImage, generator: np.random.Generator) -> FloatImage:
    """Change polarity and contrast, and move the median to any level from black to white."""
    if generator.uniform() < 0.3:
        crop = 255 - crop
    median = np.median(crop)
    contrast = np.exp(generator.uniform(np.log(0.2), np.log(2.0)))
    level = generator.choice(
        [generator.uniform(0, 255), generator.uniform(225, 255), generator.uniform(0, 30)],
        p=[0.6, 0.3, 0.1],
    )
    return (crop - median) * np.float32(contrast) + np.float32(level)


def _draw_noise(shape: tuple[int, ...], generator: np.random.Generator) -> FloatImage:
    """Draw noise of any strength: white, or correlated over a few pixels."""
    strength = np.exp(generator.uniform(np.log(0.3), np.log(20.0)))
    noise = generator.standard_normal(shape, dtype=np.float32)
    if generator.uniform() < 0.5:
        noise = ndimage.gaussian_filter(noise, generator.uniform(0.4, 3.0), mode="wrap")
        noise /= noise.std()
    return noise * np.float32(strength)
