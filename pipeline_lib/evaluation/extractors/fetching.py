"""Bring an extractor's weights onto this machine and write down what they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline_lib.evaluation.extractors.entries import (
    INCEPTION_FILE,
    INCEPTION_SHA256,
    ExtractorCard,
)
from pipeline_lib.evaluation.extractors.weights import (
    check_weights,
    folder_to_lpips_files,
    folder_to_weights_file,
)
from pipeline_lib.files import file_to_sha256, folder_to_sha256, path_to_portable
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.extractors import LPIPS, LPIPS_ORIGIN, ExtractorEntry

# Repository, revision, folder for downloads and wanted files, to the folder they are in.
Download = Callable[[str, str, Path, Sequence[str]], Path]


def fetch_extractor(
    name: str, entry: ExtractorEntry, root: Path, downloads: Path, download: Download
) -> ExtractorCard:
    """Bring an extractor onto this machine and describe it.

    Parameters
    ----------
    name : str
        Name in the registry.
    entry : ExtractorEntry
        Where it comes from.
    root : Path
        Folder that the entry's path is relative to.
    downloads : Path
        Folder for what is downloaded from the hub.
    download : callable
        Downloads files of a repository at a commit:
        `pipeline_lib.models.fetching.download_from_hub`.

    Returns
    -------
    ExtractorCard
        What `load_extractor` takes, with the SHA-256 of every file.

    Raises
    ------
    UserError
        If the weights cannot be found or reached, or are not those that the entry names.
    """
    told = {key: getattr(entry, key) for key in ("family", "kind", "attribute", "licence")}
    told |= {"name": name, "repository": entry.repository, "revision": entry.revision}
    if entry.kind == "package":
        return ExtractorCard(**told, sha256=entry.sha256)
    weights = entry_to_weights(entry, root, downloads, download)
    return ExtractorCard(
        **told,
        weights=path_to_portable(weights),
        sha256=check_weights(_weights_file(entry, weights), entry.sha256),
        files=_hashes(weights),
    )


def entry_to_weights(
    entry: ExtractorEntry, root: Path, downloads: Path, download: Download
) -> Path:
    """Return the folder or file of an entry's weights, downloading it if need be."""
    if entry.kind != "hub":
        path = root / str(entry.path)
        if not path.exists():
            raise UserError(
                f"{path} does not exist; put the weights{_published(entry)} there, or correct "
                f"`path: {entry.path}` in the registry of extractors"
            )
        return path
    folder = download(str(entry.repository), str(entry.revision), downloads, entry.files)
    if entry.family != "inception-fid":
        return folder
    found = [path for pattern in entry.files for path in folder.glob(pattern)]
    if len(found) != 1:
        raise UserError(
            f"{entry.repository} at {entry.revision}: {', '.join(entry.files)} are {len(found)} "
            "files, needed is one file of weights; correct `files` in the registry of extractors"
        )
    return found[0]


def _weights_file(entry: ExtractorEntry, weights: Path) -> Path:
    """Return the file that an entry's SHA-256 is of."""
    if entry.family == LPIPS:
        return folder_to_lpips_files(weights)[0]
    return folder_to_weights_file(weights) if weights.is_dir() else weights


def _published(entry: ExtractorEntry) -> str:
    """Return where weights that are on no hub are published."""
    if entry.family == LPIPS:
        return f" ({LPIPS_ORIGIN})"
    if entry.sha256 != INCEPTION_SHA256:
        return ""
    return (
        f" ({INCEPTION_FILE} of the releases of github.com/mseitzer/pytorch-fid, which is "
        "weights-inception-2015-12-05-6726825d.pth of github.com/toshas/torch-fidelity)"
    )


def _hashes(weights: Path) -> dict[str, str]:
    """Return the SHA-256 of a file, or of all files of a folder, by name."""
    if weights.is_dir():
        return folder_to_sha256(weights)
    return {weights.name: file_to_sha256(weights)}
