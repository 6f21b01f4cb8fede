"""What `fetch_extractor` says of a feature extractor that is on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from pipeline_lib.settings.base import Settings, Slug
from pipeline_lib.settings.extractors import (
    LPIPS_FILES,
    Attribute,
    ExtractorFamily,
    ExtractorKind,
    Sha256,
)

INCEPTION_FILE = "pt_inception-2015-12-05-6726825d.pth"
# The Inception v3 of 2015 that the Frechet Inception Distance is defined by.
INCEPTION_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"


class ExtractorCard(Settings):
    """An extractor that is on this machine, as `fetch_extractor` wrote it down."""

    name: Slug | Attribute = Field(..., description="Name in the registry, or module:attribute.")
    family: ExtractorFamily = Field(..., description="What kind of network it is.")
    weights: str | None = Field(None, description="Folder or file of its weights.")
    sha256: Sha256 | None = Field(None, description="SHA-256 of its weights' file.")
    attribute: Attribute | None = Field(None, description="A plug-in's module:attribute.")
    files: dict[str, str] = Field({}, description="SHA-256 of its files by relative path.")
    kind: ExtractorKind = Field("package", description="Where it came from.")
    repository: str | None = Field(None, description="owner/name on the hub.")
    revision: str | None = Field(None, description="Commit on the hub.")
    licence: str = Field("", description="Terms of use.")
    provenance: dict[str, Any] = Field({}, description="What wrote it.")


def is_real_fid(family: str, weights_sha256: str) -> bool:
    """Say whether Frechet distances of an extractor's features may be called FID."""
    return family == "inception-fid" and weights_sha256 == INCEPTION_SHA256


def is_published_lpips(files: Mapping[str, str]) -> bool:
    """Say whether files, SHA-256 by name, are LPIPS as published, which DIV is defined by."""
    return all(files.get(name) == sha256 for name, sha256 in LPIPS_FILES.items())
