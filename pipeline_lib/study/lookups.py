"""Values against their models, and names against tables, refused in words."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from pipeline_lib.command_line import validation_to_message
from pipeline_lib.settings.base import Settings, UserError

Model = TypeVar("Model", bound=Settings)


def validated(model: type[Model], value: Any, where: str) -> Model:
    """Return the value as a settings model, or raise `UserError` naming every bad key."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise UserError(validation_to_message(error, where)) from None


def look_up(name: str, table: Mapping[str, Model], what: str, where: str) -> Model:
    """Return the table's entry, or raise `UserError` with the names there are."""
    if name in table:
        return table[name]
    near = difflib.get_close_matches(name, table, n=1)
    hint = f"; did you mean `{near[0]}`?" if near else ""
    known = ", ".join(sorted(table)) or "none"
    raise UserError(f"{where}: no {what} is called `{name}` (there are: {known}){hint}")
