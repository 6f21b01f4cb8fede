"""What goes into a training from scratch, in an order of its own, and its fingerprint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline_lib.files import value_to_sha256
from pipeline_lib.from_scratch.tiles import Tiles
from pipeline_lib.settings.from_scratch import ScratchConcept, ScratchSettings
from pipeline_lib.settings.training_keys import JUDGING, SHAPE_NO_WEIGHT
from pipeline_lib.training.refusals import refuse_no_tiles


@dataclass(frozen=True)
class ScratchInputs:
    """One concept of a run, with what it is trained on."""

    concept: ScratchConcept
    tiles: Tiles

    def fingerprint(self) -> dict[str, Any]:
        """Return what tells it from another, JSON-able; its tiles are in order."""
        digests = {role: value_to_sha256(of) for role, of in self.tiles.digests().items()}
        return {**digests, "views": self.tiles.source().views}

    def description(self, label: int | None) -> dict[str, Any]:
        """Return what a model's card says of the concept, JSON-able: it has no words."""
        labelled = {} if label is None else {"label": label}
        return {
            **labelled,
            "identifier": "",
            "noun": self.concept.noun,
            "modality": self.concept.modality,
            "dataset": self.concept.dataset,
            "prompt": "",
            "tiles": self.tiles.source().images,
        }


def inputs_in_order(inputs: Sequence[ScratchInputs]) -> tuple[ScratchInputs, ...]:
    """Return concepts with their tiles by what they are, whatever they are called.

    Parameters
    ----------
    inputs : sequence of ScratchInputs
        In any order.

    Returns
    -------
    tuple of ScratchInputs
        Their places are the labels.

    Raises
    ------
    UserError
        If a concept has no training tiles.
    """
    for one in inputs:
        refuse_no_tiles(one.concept.dataset, one.tiles.source().images)
    ordered = [ScratchInputs(one.concept, one.tiles.in_order()) for one in inputs]
    return tuple(sorted(ordered, key=lambda one: value_to_sha256(one.fingerprint())))


def inputs_to_labels(inputs: Sequence[ScratchInputs]) -> dict[str, int | None]:
    """Return the label of each concept; a concept alone has none."""
    several = len(inputs) > 1
    return {one.concept.concept: place if several else None for place, one in enumerate(inputs)}


def scratch_fingerprint(
    settings: ScratchSettings,
    base_files: Mapping[str, str],
    inputs: Sequence[ScratchInputs],
    judged_by: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return all that shapes the weights of a model from scratch, JSON-able.

    Parameters
    ----------
    settings : ScratchSettings
        How it is trained; those that shape no weight are left out.
    base_files : mapping
        SHA-256 of the base model's files by name; of a model in latents, those of the autoencoder
        count.
    inputs : sequence of ScratchInputs
        In order.
    judged_by : mapping, optional
        SHA-256 of what judges the training by name; it counts where the best step is kept.

    Returns
    -------
    dict
        Equal for equal trainings.
    """
    chosen = settings.keep == "best"
    left_out = SHAPE_NO_WEIGHT if chosen else SHAPE_NO_WEIGHT | JUDGING
    autoencoder = {name: sha for name, sha in base_files.items() if name.split("/")[0] == "vae"}
    return {
        "settings": settings.model_dump(mode="json", exclude=set(left_out)),
        **({"judged_by": dict(judged_by or {})} if chosen else {}),
        **({"autoencoder": autoencoder} if settings.space == "latents" else {}),
        "concepts": [one.fingerprint() for one in inputs],
    }
