"""Entries of the registry of feature extractors."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline_lib.settings.base import Settings

ExtractorFamily = Literal[
    "efficientnet-lite0", "dinov2", "dino", "clip", "inception-fid", "lpips", "plug-in"
]
ExtractorKind = Literal["package", "folder", "single_file", "hub"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
ATTRIBUTE = r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$"
Attribute = Annotated[str, Field(pattern=ATTRIBUTE)]
EXTRACTOR_KINDS: dict[ExtractorFamily, tuple[ExtractorKind, ...]] = {
    "efficientnet-lite0": ("package",),
    "plug-in": ("package",),
    "inception-fid": ("single_file", "hub"),
    "dinov2": ("folder", "hub"),
    "dino": ("folder", "hub"),
    "clip": ("folder", "hub"),
    "lpips": ("folder", "hub"),
}
EXTRACTOR_NEEDS: dict[ExtractorKind, tuple[str, ...]] = {
    "package": (),
    "folder": ("path",),
    "single_file": ("path",),
    "hub": ("repository", "revision", "files"),
}
# A distance of two images and no features: DreamBooth's DIV is made of it, and nothing else.
LPIPS = "lpips"
# Its two files, as torchvision and the package lpips 0.1 publish them, and their SHA-256.
LPIPS_NETWORK, LPIPS_HEADS = "alexnet-owt-7be5be79.pth", "alex.pth"
LPIPS_FILES = {
    LPIPS_NETWORK: "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
    LPIPS_HEADS: "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
}
LPIPS_ORIGIN = (
    f"{LPIPS_NETWORK} as torchvision downloads it, and weights/v0.1/{LPIPS_HEADS} of the Python "
    "package lpips"
)


def missing_lpips_files(folder: Path) -> list[str]:
    """Return which of the files of LPIPS a folder lacks."""
    return [name for name in LPIPS_FILES if not (folder / name).is_file()]


class ExtractorEntry(Settings):
    """A feature extractor of extractors.yaml."""

    family: ExtractorFamily = Field(..., description="What kind of network it is.")
    kind: ExtractorKind = Field(
        ..., description="Where its weights come from; `package`: they are installed."
    )
    path: str | None = Field(None, description="Folder or file; relative to the workflow.")
    repository: str | None = Field(None, description="owner/name on the hub.")
    revision: str | None = Field(
        None,
        pattern=r"^[0-9a-f]{40}$",
        description="Commit on the hub, 40 hexadecimal digits: names can move.",
    )
    files: tuple[str, ...] = Field((), description="Files of the repository to download.")
    attribute: Attribute | None = Field(
        None,
        description="A plug-in's `module:attribute`, called without arguments for the extractor.",
    )
    sha256: Sha256 | None = Field(
        None,
        description="SHA-256 that its weights' file must have, of family `lpips` the network's; "
        "empty accepts what is there.",
    )
    licence: str = Field("", description="Terms of use.")

    @model_validator(mode="after")
    def _complete(self) -> ExtractorEntry:
        """Refuse families from where they cannot come, and entries that say too little."""
        if self.kind not in EXTRACTOR_KINDS[self.family]:
            raise ValueError(
                f"an extractor of family `{self.family}` is of kind "
                f"{' or '.join(EXTRACTOR_KINDS[self.family])}, found {self.kind}"
            )
        needed = ("attribute",) if self.family == "plug-in" else EXTRACTOR_NEEDS[self.kind]
        missing = [key for key in needed if not getattr(self, key)]
        if missing:
            raise ValueError(
                f"an extractor of family `{self.family}` and kind `{self.kind}` needs "
                f"{' and '.join(missing)}"
            )
        return self

    @model_validator(mode="after")
    def _both_of_lpips(self) -> ExtractorEntry:
        """Refuse to download of LPIPS anything but both files, from the top of a repository."""
        if self.family != LPIPS or self.kind != "hub":
            return self
        if not all(any(fnmatch(name, one) for one in self.files) for name in LPIPS_FILES):
            raise ValueError(
                f"an extractor of family `{LPIPS}` and kind `hub` needs `files` of the names "
                f"{' and '.join(LPIPS_FILES)}, which lie at the top of its repository; found "
                f"{', '.join(self.files)}"
            )
        return self
