"""The simulated pictures that the base model learns from, and the autoencoder's crops of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage, stats

from pipeline_lib.imaging.intensity import IntensityMap, images_to_percentiles
from pipeline_lib.models.recipe.settings import PictureRecipe
from pipeline_lib.optics import draw_scene_settings, simulate_picture

ByteStack = npt.NDArray[np.uint8]
FloatImage = npt.NDArray[np.float32]

STRETCH = (0.2, 99.8)  # percentiles of a picture that become black and white
WAYS = 8  # turns and flips of a square


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
    noise : ndarray of float32, (pictures,)
        Deviation of the camera's noise, grey levels.
    """

    images: ByteStack
    captions: list[str]
    kinds: list[str]
    noise: npt.NDArray[np.float32]

    def __getitem__(self, numbers: npt.NDArray[np.integer]) -> CaptionedPictures:
        """Return some of the pictures."""
        return CaptionedPictures(
            self.images[numbers],
            [self.captions[number] for number in numbers],
            [self.kinds[number] for number in numbers],
            self.noise[numbers],
        )


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
    drawn = [_simulate(recipe, number) for number in range(start, stop)]
    images, captions, kinds, noise = zip(*drawn, strict=True)
    return CaptionedPictures(
        np.stack(images), list(captions), list(kinds), np.asarray(noise, np.float32)
    )


def _simulate(recipe: PictureRecipe, number: int) -> tuple[ByteStack, str, str, float]:
    """Return grey levels, caption, kind and noise of one picture.

    Real pictures are stretched when they are ingested, which undoes what a caption could say of
    their background: so are these, and their captions do not speak of it.
    """
    key = (recipe.seed, number)
    drawn = draw_scene_settings(key, shape=(recipe.size, recipe.size))
    picture = simulate_picture(key, replace(drawn, display_background=None))
    low, high = images_to_percentiles([picture.image], STRETCH)
    stretch = IntensityMap(low, max(high, low + 1))
    noise = image_to_noise(picture.image) * 255 / (stretch.high - stretch.low)
    return stretch.apply(picture.image), picture.caption, drawn.kind, noise


def image_to_noise(image: FloatImage) -> float:
    """Return the deviation of a picture's white noise.

    Parameters
    ----------
    image : ndarray, (rows, columns)
        A picture.

    Returns
    -------
    float
        From the median of mixed second differences, which structure hardly moves.
    """
    mixed = np.diff(np.diff(image.astype(np.float64), axis=0), axis=1) / 2
    return float(stats.median_abs_deviation(mixed, axis=None, scale="normal"))


def leave_out_noisiest(pictures: CaptionedPictures, share: float) -> CaptionedPictures:
    """Leave out the noisiest pictures, in which little else can be seen.

    Parameters
    ----------
    pictures : CaptionedPictures
        All pictures.
    share : float
        0 to 1: how many of them are left out.

    Returns
    -------
    CaptionedPictures
        The others, in their order.
    """
    kept = len(pictures.noise) - int(share * len(pictures.noise))
    return pictures[np.sort(np.argsort(pictures.noise, kind="stable")[:kept])]


def turn_picture(image: ByteStack, way: int) -> ByteStack:
    """Turn and flip a square picture.

    Parameters
    ----------
    image : ndarray, (side, side)
        A picture. No caption says where oblique light comes from, so that all eight ways are true.
    way : int
        0 to 7; 0 leaves it as it is.

    Returns
    -------
    ndarray, (side, side)
        A view of the picture.
    """
    turned = np.rot90(image, way % 4)
    return turned[:, ::-1] if way >= 4 else turned


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
    crop = turn_picture(
        image[row : row + size, column : column + size], int(generator.integers(WAYS))
    )
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
