"""Which keys a place in the settings may have, for words about unknown ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, get_args

from pipeline_lib.settings.base import Settings


def settings_keys(title: str, place: Sequence[str | int]) -> list[str]:
    """Return the keys that are known at a place.

    Parameters
    ----------
    title : str
        Name of the settings model that was validated.
    place : sequence of str or int
        Keys and indices that lead to the place, as pydantic tells them.

    Returns
    -------
    list of str
        Empty where no model of that name is known.
    """
    models = [model for model in _descendants(Settings) if model.__name__ == title]
    for part in place:
        models = [inner for model in models for inner in _inner_models(model, part)]
    return sorted({name for model in models for name in model.model_fields})


def _descendants(model: type[Settings]) -> Iterator[type[Settings]]:
    """Yield all models below one."""
    for child in model.__subclasses__():
        yield child
        yield from _descendants(child)


def _inner_models(model: type[Settings], part: str | int) -> list[type[Settings]]:
    """Return the models that a key of a model leads to; the model itself for a name or an index."""
    field = model.model_fields.get(str(part))
    return [model] if field is None else list(_models_in(field.annotation))


def _models_in(annotation: Any) -> Iterator[type[Settings]]:
    """Yield the settings models that a type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)
