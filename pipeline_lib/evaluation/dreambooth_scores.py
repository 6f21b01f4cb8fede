"""DreamBooth's own scores, on embeddings: likeness to the subject, to the prompt, and spread.

Ruiz et al. 2023 (arXiv 2208.12242): DINO and CLIP-I, CLIP-T and PRES; their DIV is in
`perceptual_diversity`. Which score it is, the extractor says that made the embeddings. All are
cosine similarities averaged over pairs, and such a mean is the product of mean unit vectors: no
pair is ever formed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline_lib.evaluation.cmmd import to_unit_length
from pipeline_lib.evaluation.origins import Origins
from pipeline_lib.settings.base import UserError

FloatArray = npt.NDArray[np.float64]


def embeddings_to_subject_fidelity(
    generated: npt.ArrayLike, real: npt.ArrayLike, origins: Origins | None = None
) -> float:
    """Return the mean cosine similarity of generated and real images of the subject.

    With DINO ViT-S/16 embeddings this is the paper's **DINO** score, with CLIP image embeddings its
    **CLIP-I** score. Of images that a tuned model makes of the class, without the identifier, it is
    with DINO its **PRES**: high where the class has collapsed onto the subject.

    Parameters
    ----------
    generated, real : array
        (M, D) and (N, D) image embeddings by one extractor.
    origins : tuple of ndarray of int, optional
        (M,) and (N,) what each image was made from, in one numbering: pairs of one origin, which
        are alike by their making, are left out.

    Returns
    -------
    float
        -1 to 1, higher is more alike; NaN where no pair is left.

    Raises
    ------
    UserError
        If the embeddings differ in length or one has no direction.
    """
    return _mean_similarity(generated, real, origins)


def embeddings_to_prompt_fidelity(images: npt.ArrayLike, prompts: npt.ArrayLike) -> float:
    """Return the mean cosine similarity of generated images and their own prompts: **CLIP-T**.

    Parameters
    ----------
    images : array
        (M, D) CLIP image embeddings, after the projection that images and texts share.
    prompts : array
        (M, D) CLIP text embeddings, row i of the prompt of image i; or (1, D), one for all.

    Returns
    -------
    float
        -1 to 1, higher follows the prompt more closely; NaN without images.

    Raises
    ------
    UserError
        If the numbers or lengths do not fit, or an embedding has no direction.
    """
    pictures, texts = _to_alike_units(images, prompts)
    if len(texts) not in (1, len(pictures)):
        raise UserError(
            f"{len(pictures)} images and {len(texts)} prompts were given; needed is one prompt for "
            "each image, or one for all."
        )
    return float((pictures * texts).sum(axis=1).mean()) if len(pictures) else float("nan")


def embeddings_to_diversity(
    generated: npt.ArrayLike, prompts: npt.ArrayLike, origins: npt.ArrayLike | None = None
) -> float:
    """Return how far apart images of one prompt lie, by 1 less their cosine similarity.

    The paper's DIV takes LPIPS distances (`perceptual_diversity`), and this is not DIV: give the
    value with its extractor's name.

    Parameters
    ----------
    generated : array
        (M, D) image embeddings.
    prompts : array
        (M,) which prompt each was made with.
    origins : array, optional
        (M,) what each image was made from, for real images beside: pairs of one origin are left
        out. Without them each image is its own.

    Returns
    -------
    float
        0 to 2: mean over all pairs of different images of one prompt, then over the prompts that
        have at least two images; higher is more diverse. NaN where none has.

    Raises
    ------
    UserError
        If there is not one prompt for each image, or an embedding has no direction.
    """
    rows, labels = to_unit_length(generated), np.asarray(prompts)
    if labels.shape != (len(rows),):
        raise UserError(
            f"{len(rows)} images and prompts of shape {labels.shape} were given; needed is one "
            "prompt for each image."
        )
    made_from = np.arange(len(rows)) if origins is None else np.asarray(origins)
    distances = [
        1 - _mean_similarity(rows[own], rows[own], (made_from[own], made_from[own]))
        for own in (labels == prompt for prompt in np.unique(labels))
    ]
    known = [distance for distance in distances if not np.isnan(distance)]
    return float(np.mean(known)) if known else float("nan")


def _mean_similarity(
    first: npt.ArrayLike, second: npt.ArrayLike, origins: Origins | None = None
) -> float:
    """Return the mean cosine similarity over pairs across two sets that share no origin."""
    x, y = _to_alike_units(first, second)
    total, pairs = float(x.sum(axis=0) @ y.sum(axis=0)), len(x) * len(y)
    for origin in () if origins is None else np.intersect1d(*origins):
        own, other = (rows[of == origin] for rows, of in zip((x, y), origins, strict=True))
        total -= float(own.sum(axis=0) @ other.sum(axis=0))
        pairs -= len(own) * len(other)
    return total / pairs if pairs else float("nan")


def _to_alike_units(first: npt.ArrayLike, second: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return both sets as unit vectors of one number of dimensions."""
    x, y = to_unit_length(first), to_unit_length(second)
    if x.shape[1] != y.shape[1]:
        raise UserError(
            f"Embeddings of {x.shape[1]} and of {y.shape[1]} dimensions cannot be compared; give "
            "both sets from one extractor."
        )
    return x, y
