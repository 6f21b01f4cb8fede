"""The key of a survey: which picture was which, kept apart from the page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property

from pydantic import Field, ValidationError, model_validator

from pipeline_lib import __version__
from pipeline_lib.command_line import validation_to_message
from pipeline_lib.settings.base import Settings, Slug, UserError
from pipeline_lib.settings.survey import SurveySettings, SurveyStage
from pipeline_lib.survey.commitments import commitments_to_identity, position_to_commitment
from pipeline_lib.survey.trials import Trial


class KeyTrial(Settings):
    """A trial as it was shown."""

    target: int = Field(..., ge=1, description="Position of the real picture, from 1.")
    real: str = Field(..., description="Name of the real tile: its number in the stack.")
    source: str = Field(..., description="Field that the real tile was cut from.")
    group: str | None = Field(
        None, description="Group of that field: well, plate, day; older keys do not say it."
    )
    synthetic: tuple[str, ...] = Field(
        ..., description="Names of the synthetic images, for the other positions in order."
    )


class SurveyKey(Settings):
    """Everything that scoring needs."""

    survey: str = Field(..., description="Name of the survey, made of its commitments.")
    secret: str = Field(..., pattern="^[0-9a-f]{64}$", description="Secret of the commitments.")
    run: Slug = Field(..., description="Run that made the synthetic images.")
    concept: Slug = Field(..., description="Concept that is shown.")
    settings: SurveySettings = Field(..., description="What the survey was made by.")
    notes: tuple[str, ...] = Field(..., description="What limits it, in sentences.")
    version: str = Field(..., description="Version of the package that made it.")
    trials: tuple[KeyTrial, ...] = Field(..., min_length=1, description="Trials in order.")

    @model_validator(mode="after")
    def _whole(self) -> SurveyKey:
        wrong = [
            number
            for number, trial in enumerate(self.trials, 1)
            if trial.target > self.alternatives or len(trial.synthetic) != self.alternatives - 1
        ]
        if wrong:
            raise ValueError(f"trial {wrong[0]} is no trial of {self.alternatives} pictures")
        if commitments_to_identity(self.alternatives, self.commitments) != self.survey:
            raise ValueError("the answers do not belong to this survey: the key was changed")
        return self

    @property
    def alternatives(self) -> int:
        """Return the number of pictures of a trial."""
        return self.settings.alternatives

    @cached_property
    def commitments(self) -> tuple[str, ...]:
        """Return what the page says of each trial's answer."""
        return tuple(
            position_to_commitment(self.secret, number, trial.target)
            for number, trial in enumerate(self.trials, 1)
        )


def trials_to_key(
    trials: Sequence[Trial],
    secret: str,
    names: tuple[Sequence[str], Sequence[str]],
    origins: tuple[Sequence[str], Sequence[str]],
    stage: SurveyStage,
    notes: Sequence[str],
) -> SurveyKey:
    """Write down which picture is which.

    Parameters
    ----------
    trials : sequence of Trial
        As they are shown.
    secret : str
        From `images_to_secret`.
    names : pair of sequences of str
        Names of the real and of the synthetic images.
    origins : pair of sequences of str
        Field and group of each real tile.
    stage : SurveyStage
        What the survey is made by.
    notes : sequence of str
        What limits it.

    Returns
    -------
    SurveyKey
        With the survey's name.
    """
    rows = [
        KeyTrial(
            target=trial.target + 1,
            real=names[0][trial.real],
            source=origins[0][trial.real],
            group=origins[1][trial.real],
            synthetic=tuple(names[1][number] for number in trial.synthetic),
        )
        for trial in trials
    ]
    commitments = [
        position_to_commitment(secret, number, row.target) for number, row in enumerate(rows, 1)
    ]
    return SurveyKey(
        survey=commitments_to_identity(stage.survey.alternatives, commitments),
        secret=secret,
        run=stage.run,
        concept=stage.concept,
        settings=stage.survey,
        notes=tuple(notes),
        version=__version__,
        trials=tuple(rows),
    )


def text_to_key(text: str, where: str) -> SurveyKey:
    """Read a key.

    Parameters
    ----------
    text : str
        Content of ``survey_key.json``.
    where : str
        Its name, for messages.

    Returns
    -------
    SurveyKey
        Whole, and agreeing with its own commitments.

    Raises
    ------
    UserError
        If it is no key or was changed.
    """
    try:
        return SurveyKey.model_validate(json.loads(text))
    except ValidationError as error:
        message = validation_to_message(error, where)
    except ValueError:
        message = f"{where}: no JSON"
    raise UserError(f"{message}; pass the survey_key.json that was written beside the survey")
