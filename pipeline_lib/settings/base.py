"""What all settings share: the model, the error for users, and types of several sections."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

SLUG = r"^[a-z0-9][a-z0-9_-]*$"
Slug = Annotated[str, Field(pattern=SLUG, max_length=100)]  # two make up the name of a folder
Fraction = Annotated[float, Field(ge=0, le=1)]
Modality = Literal["brightfield", "phase_contrast", "oblique", "dic"]
Precision = Literal["float32", "bfloat16", "float16", "auto"]


class UserError(ValueError):
    """Something that the user can mend: the message says what, where and how."""


class Settings(BaseModel):
    """Base of all settings: unknown keys are refused, values do not change, numbers are finite."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse true and false for numbers and texts: Python counts them as 1 and 0."""
        if isinstance(value, bool) and not _takes_bool(
            cls.model_fields[info.field_name].annotation
        ):
            raise ValueError(f"found {str(value).lower()}, which is neither number nor text")
        return value


def _takes_bool(annotation: Any) -> bool:
    """Tell whether a type, or one of its alternatives, is bool, or anything at all."""
    if annotation in (bool, Any):
        return True
    return any(_takes_bool(one) for one in get_args(annotation))
