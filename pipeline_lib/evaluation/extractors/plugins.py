"""Extractors from outside: `module:attribute`, called for an extractor and tried before use."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pipeline_lib.evaluation.extractors.contract import Extractor, place_extractor
from pipeline_lib.settings.base import SLUG, UserError
from pipeline_lib.settings.extractors import ATTRIBUTE

TRIED_SIDE = 64
# Shares of the largest feature. GPUs multiply with ten bits, in an order that batches change.
REPEATED_TOLERANCE = 1e-4
BATCH_TOLERANCE = 1e-2


def load_plugin(attribute: str, device: str | torch.device = "cpu") -> Extractor:
    """Load an extractor that a module outside this project gives.

    Parameters
    ----------
    attribute : str
        ``module:attribute``; the attribute is called without arguments and returns an `Extractor`.
    device : str or torch.device
        Where its network shall be.

    Returns
    -------
    Extractor
        Ready for inference, and tried on a small batch.

    Raises
    ------
    UserError
        If there is no such module or attribute, or what it gives is not an extractor.
    """
    extractor = attribute_to_callable(attribute)()
    if not isinstance(extractor, Extractor):
        raise UserError(
            f"plug-in {attribute}: the call gave {type(extractor).__name__}, needed is an "
            "Extractor of pipeline_lib.evaluation.extractors.contract"
        )
    check_values(extractor, attribute)
    placed = place_extractor(extractor, device)
    try_extractor(placed, attribute)
    return placed


def attribute_to_callable(attribute: str) -> Callable[[], Any]:
    """Return what ``module:attribute`` names.

    Raises
    ------
    UserError
        If it is not of that form, is not there, or cannot be called.
    """
    check_form(attribute)
    module, _, name = attribute.partition(":")
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        raise UserError(
            f"plug-in {attribute}: {module} cannot be imported ({error}); install it into the "
            "environment of the workflow, or put its folder on PYTHONPATH"
        ) from error
    for part in name.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        what = "nothing" if found is None else type(found).__name__
        raise UserError(
            f"plug-in {attribute}: found {what} in {module} by that name, needed is a callable "
            "that returns an Extractor"
        )
    return found


def check_form(attribute: str) -> None:
    """Refuse what is not written ``module:attribute``."""
    if not re.fullmatch(ATTRIBUTE, attribute):
        raise UserError(f"plug-in {attribute!r} is not of the form module:attribute")


def check_values(extractor: Extractor, source: str) -> None:
    """Refuse an extractor whose values cannot stand in tables and paths, or cannot run."""
    network, prepare = extractor.network, extractor.prepare
    checks = (
        ("name", extractor.name, bool(re.fullmatch(SLUG, str(extractor.name))), f"match {SLUG}"),
        ("dimensions", extractor.dimensions, _is_count(extractor.dimensions), "be 1 or more"),
        (
            "weights_sha256",
            extractor.weights_sha256,
            bool(re.fullmatch("[0-9a-f]{64}", str(extractor.weights_sha256))),
            "be 64 hexadecimal digits",
        ),
        ("preprocessing", extractor.preprocessing, bool(extractor.preprocessing), "say something"),
        ("network", network, isinstance(network, torch.nn.Module), "be a torch.nn.Module"),
        ("prepare", prepare, callable(prepare), "be callable"),
    )
    for field, value, right, needed in checks:
        if not right:
            raise UserError(f"plug-in {source}: {field} is {value!r}, it must {needed}")


def try_extractor(extractor: Extractor, source: str) -> None:
    """Refuse an extractor that breaks the contract on a small batch.

    Raises
    ------
    UserError
        If the features are no (B, D) float32, are not finite, differ from call to call, or depend
        on the images beside.
    """
    images = torch.from_numpy(tried_images()).to(extractor.device)
    features = _run(extractor, images, source)
    _check_output(features, (3, extractor.dimensions), source)
    largest = float(features.abs().max())
    for count, tolerance, words in (
        (3, REPEATED_TOLERANCE, "the same images give other features the second time"),
        (1, BATCH_TOLERANCE, "an image's features depend on those beside it"),
    ):
        again = _run(extractor, images[:count], source)
        _check_output(again, (count, extractor.dimensions), source)
        if float((features[:count] - again).abs().max()) > tolerance * largest:
            raise UserError(f"plug-in {source}: {words}; features must be those of one image alone")


def tried_images() -> npt.NDArray[np.uint8]:
    """Return (3, Y, X) noise, each image half as bright as the one before."""
    noise = np.random.default_rng(0).integers(0, 256, (3, TRIED_SIDE, TRIED_SIDE), dtype=np.uint8)
    return noise >> np.arange(3, dtype=np.uint8)[:, None, None]


def _run(extractor: Extractor, images: torch.Tensor, source: str) -> Any:
    """Return what the extractor gives, its own failure in words."""
    try:
        with torch.inference_mode():
            return extractor.network(extractor.prepare(images.clone()))
    except Exception as error:  # a plug-in may raise anything
        raise UserError(
            f"plug-in {source}: failed on {len(images)} images of {TRIED_SIDE} x {TRIED_SIDE} "
            f"pixels ({type(error).__name__}: {error}); it must take (B, Y, X) uint8"
        ) from error


def _check_output(features: Any, shape: tuple[int, int], source: str) -> None:
    """Refuse what is not finite float32 of that shape."""
    if not isinstance(features, torch.Tensor):
        raise UserError(
            f"plug-in {source}: the network gave {type(features).__name__}, needed is a tensor"
        )
    if features.dtype != torch.float32 or tuple(features.shape) != shape:
        raise UserError(
            f"plug-in {source}: the network gave {features.dtype} of shape "
            f"{tuple(features.shape)}, needed is torch.float32 of shape {shape}"
        )
    if not torch.isfinite(features).all():
        raise UserError(f"plug-in {source}: features of plain noise are not finite")


def _is_count(value: Any) -> bool:
    """Say whether a value is a whole number above 0."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
