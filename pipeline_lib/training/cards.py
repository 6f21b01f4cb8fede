"""What is said of a tuned part of a model, beside its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline_lib.files import folder_to_sha256, provenance, read_json, write_json
from pipeline_lib.settings.base import Settings
from pipeline_lib.training.state import DESCRIPTION
from pipeline_lib.versions import RESULT_VERSION


def state_to_card(
    folder: Path, program: str, settings: Settings, inputs: dict[str, Any], **named: Any
) -> dict[str, Any]:
    """Return what the card of a tuned part says.

    Parameters
    ----------
    folder : Path
        State folder of the finished training.
    program : str
        The stage that tuned.
    settings : Settings
        Of the stage.
    inputs : dict
        All that shaped the part, as its fingerprint has it.
    **named
        What stands on the card besides: whose part it is.

    Returns
    -------
    dict
        JSON-able.
    """
    told = read_json(folder / DESCRIPTION)
    how = told.pop("made_with")
    origin = {
        **provenance(program, settings.model_dump(mode="json")),
        "inputs": inputs,
        "version": RESULT_VERSION[program],
        **how,
    }
    return {**told, **named, "provenance": origin}


def write_card(folder: Path, name: str, card: dict[str, Any]) -> None:
    """Write a card into its folder, with the hashes of the other files there."""
    write_json(folder / name, {**card, "files": folder_to_sha256(folder)})
