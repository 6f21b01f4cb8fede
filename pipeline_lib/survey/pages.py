"""The page that a rater opens."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined

from pipeline_lib import __version__
from pipeline_lib.survey.keys import SurveyKey


def survey_to_page(
    key: SurveyKey, pictures: Sequence[Sequence[bytes]], size: tuple[int, int]
) -> str:
    """Return the page of a survey.

    Parameters
    ----------
    key : SurveyKey
        Of it, the page shows title, numbers and commitments alone.
    pictures : sequence of sequences of bytes
        PNGs of each trial from left to right.
    size : pair of int
        Height and width of the pictures in pixels.

    Returns
    -------
    str
        HTML that needs no other file and, by its own policy, can reach none.
    """
    trials = [
        {"commitment": commitment, "pictures": [base64.b64encode(png).decode() for png in pngs]}
        for commitment, pngs in zip(key.commitments, pictures, strict=True)
    ]
    data = {
        "survey": key.survey,
        "alternatives": key.alternatives,
        "scale": key.settings.scale,
        "height": size[0],
        "width": size[1],
        "trials": trials,
    }
    environment = Environment(
        loader=PackageLoader("pipeline_lib.survey"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("survey.html").render(
        title=key.settings.title, data=data, version=__version__
    )
