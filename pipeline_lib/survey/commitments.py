"""What binds page, key and answers together without giving an answer away."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline_lib.files import value_to_sha256
from pipeline_lib.settings.survey import SurveySettings

DIGITS = 16


def images_to_secret(
    real: npt.NDArray[np.uint8], synthetic: npt.NDArray[np.uint8], settings: SurveySettings
) -> str:
    """Return a survey's secret: a hash of everything that it could show.

    Parameters
    ----------
    real, synthetic : ndarray of uint8
        All images to choose from (N, Y, X), known to be one or the other.
    settings : SurveySettings
        Title and scale do not count: they change no answer.

    Returns
    -------
    str
        64 hexadecimal digits. The same images and settings give the same survey, so that making it
        again does not make answers void; to know the secret takes both sets of images apart, and
        whoever has these needs no secret.
    """
    return value_to_sha256(
        {
            "settings": [settings.alternatives, settings.trials, settings.seed],
            "real": _images_to_sha256(real),
            "synthetic": _images_to_sha256(synthetic),
        }
    )


def _images_to_sha256(images: npt.NDArray[np.uint8]) -> str:
    """Return the SHA-256 of shape and pixels."""
    digest = hashlib.sha256(repr(images.shape).encode())
    digest.update(np.ascontiguousarray(images).tobytes())
    return digest.hexdigest()


def position_to_commitment(secret: str, trial: int, position: int) -> str:
    """Return what the page says of a trial's answer: nothing to those without the secret.

    Parameters
    ----------
    secret : str
        Hexadecimal digits.
    trial, position : int
        Both counted from 1.

    Returns
    -------
    str
        HMAC-SHA-256 (RFC 2104), 64 hexadecimal digits. It fixes the answer when the page is handed
        out: nobody can change the key afterwards unseen.
    """
    return hmac.digest(bytes.fromhex(secret), f"{trial}:{position}".encode(), "sha256").hex()


def commitments_to_identity(alternatives: int, commitments: Sequence[str]) -> str:
    """Return the name of a survey, made of its commitments; the page computes it too."""
    return "survey-" + _short_digest(str(alternatives), *commitments)


def answer_to_check(
    survey: str, commitment: str, rater: str, trial: int, chosen: int, milliseconds: int
) -> str:
    """Return the check of a row of answers, as the page computes it.

    Parameters
    ----------
    survey, commitment : str
        Name of the survey, and what its page says of the trial's answer.
    rater : str
        Name, in Unicode's composed form (NFC).
    trial, chosen, milliseconds : int
        The row.

    Returns
    -------
    str
        Begins with letters, so that no spreadsheet takes it for a number. It shows accidents; the
        page holds all that it takes to make one, so it does not stop a forger.
    """
    return "check-" + _short_digest(
        survey, commitment, rater, str(trial), str(chosen), str(milliseconds)
    )


def _short_digest(*lines: str) -> str:
    """Return the first digits of the SHA-256 of lines of text."""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:DIGITS]
