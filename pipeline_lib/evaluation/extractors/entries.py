"""Extractors by name: where each comes from, and what `fetch` says of one that is here."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from pipeline_lib.settings import Settings, Slug

Family = Literal["efficientnet-lite0", "dinov2", "dino", "clip", "inception-fid", "plug-in"]
Kind = Literal["package", "folder", "single_file", "hub"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
ATTRIBUTE = r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$"
Attribute = Annotated[str, Field(pattern=ATTRIBUTE)]

KINDS: dict[Family, tuple[Kind, ...]] = {
    "efficientnet-lite0": ("package",),
    "plug-in": ("package",),
    "inception-fid": ("single_file", "hub"),
    "dinov2": ("folder", "hub"),
    "dino": ("folder", "hub"),
    "clip": ("folder", "hub"),
}
NEEDED: dict[Kind, tuple[str, ...]] = {
    "package": (),
    "folder": ("path",),
    "single_file": ("path",),
    "hub": ("repository", "revision", "files"),
}

INCEPTION_FILE = "pt_inception-2015-12-05-6726825d.pth"
# The Inception v3 of 2015 that the Frechet Inception Distance is defined by.
INCEPTION_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"

VISION_FILES = ("config.json", "preprocessor_config.json", "model.safetensors")
TOKENIZER_FILES = (
    *("vocab.json", "merges.txt", "tokenizer.json"),
    *("tokenizer_config.json", "special_tokens_map.json"),
)
OLD_VISION_FILES = (*VISION_FILES[:2], "pytorch_model.bin")


class ExtractorEntry(Settings):
    """A feature extractor of the registry."""

    family: Family = Field(..., description="What kind of network it is.")
    kind: Kind = Field(
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
        None, description="SHA-256 that its weights' file must have; empty accepts what is there."
    )
    licence: str = Field("", description="Terms of use.")

    @model_validator(mode="after")
    def _complete(self) -> ExtractorEntry:
        """Refuse families from where they cannot come, and entries that say too little."""
        if self.kind not in KINDS[self.family]:
            raise ValueError(
                f"an extractor of family `{self.family}` is of kind "
                f"{' or '.join(KINDS[self.family])}, found {self.kind}"
            )
        needed = ("attribute",) if self.family == "plug-in" else NEEDED[self.kind]
        missing = [key for key in needed if not getattr(self, key)]
        if missing:
            raise ValueError(
                f"an extractor of family `{self.family}` and kind `{self.kind}` needs "
                f"{' and '.join(missing)}"
            )
        return self


class ExtractorCard(Settings):
    """An extractor that is on this machine, as `fetch` wrote it down."""

    name: Slug | Attribute = Field(..., description="Name in the registry, or module:attribute.")
    family: Family = Field(..., description="What kind of network it is.")
    weights: str | None = Field(None, description="Folder or file of its weights.")
    sha256: Sha256 | None = Field(None, description="SHA-256 of its weights' file.")
    attribute: Attribute | None = Field(None, description="A plug-in's module:attribute.")
    files: dict[str, str] = Field({}, description="SHA-256 of its files by relative path.")
    kind: Kind = Field("package", description="Where it came from.")
    repository: str | None = Field(None, description="owner/name on the hub.")
    revision: str | None = Field(None, description="Commit on the hub.")
    licence: str = Field("", description="Terms of use.")
    provenance: dict[str, Any] = Field({}, description="What wrote it.")


def _hub(
    family: Family, repository: str, revision: str, files: tuple[str, ...], licence: str
) -> ExtractorEntry:
    """Return an entry of the hub."""
    return ExtractorEntry(
        family=family,
        kind="hub",
        repository=repository,
        revision=revision,
        files=files,
        licence=licence,
    )


BUILT_IN: dict[str, ExtractorEntry] = {
    "efficientnet-lite0": ExtractorEntry(
        family="efficientnet-lite0", kind="package", licence="Apache-2.0"
    ),
    "dinov2-small": _hub(
        "dinov2",
        "facebook/dinov2-small",
        "ed25f3a31f01632728cabb09d1542f84ab7b0056",
        VISION_FILES,
        "Apache-2.0",
    ),
    "dinov2-base": _hub(
        "dinov2",
        "facebook/dinov2-base",
        "f9e44c814b77203eaa57a6bdbbd535f21ede1415",
        VISION_FILES,
        "Apache-2.0",
    ),
    "dinov2-large": _hub(
        "dinov2",
        "facebook/dinov2-large",
        "47b73eefe95e8d44ec3623f8890bd894b6ea2d6c",
        VISION_FILES,
        "Apache-2.0",
    ),
    "dino-vits16": _hub(
        "dino",
        "facebook/dino-vits16",
        "abe3b354cb6a9b6f146096b14a4a9d7eecbcb4bd",
        OLD_VISION_FILES,
        "Apache-2.0",
    ),
    "clip-vit-base-patch32": _hub(
        "clip",
        "openai/clip-vit-base-patch32",
        "3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268",
        (*OLD_VISION_FILES, *TOKENIZER_FILES),
        "MIT",
    ),
    "clip-vit-large-patch14": _hub(
        "clip",
        "openai/clip-vit-large-patch14",
        "32bd64288804d66eefd0ccbe215aa642df71cc41",
        (*VISION_FILES, *TOKENIZER_FILES),
        "MIT",
    ),
    "inception-fid": ExtractorEntry(
        family="inception-fid",
        kind="single_file",
        path=f"resources/extractors/{INCEPTION_FILE}",
        sha256=INCEPTION_SHA256,
        licence="Apache-2.0",
    ),
}
