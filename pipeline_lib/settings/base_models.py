"""Entries of the registry of base models, and their fetching."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipeline_lib.settings.base import Settings, Slug


class BaseModelEntry(Settings):
    """A base model of base_models.yaml."""

    kind: Literal["folder", "hub", "single_file"] = Field(..., description="Where it comes from.")
    path: str | None = Field(None, description="Folder or file; relative to the workflow.")
    repository: str | None = Field(None, description="owner/name on the hub.")
    revision: str | None = Field(
        None,
        pattern=r"^[0-9a-f]{40}$",
        description="Commit on the hub, 40 hexadecimal digits: names can move.",
    )
    size: int = Field(512, ge=32, description="Side of the pictures it was trained on, in pixels.")
    licence: str = Field("", description="Terms of use, for the model card.")

    @model_validator(mode="after")
    def _complete(self) -> BaseModelEntry:
        needed = ("repository", "revision") if self.kind == "hub" else ("path",)
        missing = [key for key in needed if getattr(self, key) is None]
        if missing:
            raise ValueError(f"a base model of kind `{self.kind}` needs {' and '.join(missing)}")
        return self


class FetchStage(Settings):
    """Settings of fetching or checking one base model."""

    name: Slug = Field(..., description="Name in the registry.")
    entry: BaseModelEntry = Field(..., description="Its registry entry.")
