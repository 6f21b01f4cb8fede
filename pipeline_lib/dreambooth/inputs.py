"""What goes into a training, in an order of its own, and the fingerprint by which it is known.

Tiles and concepts are sorted by what they are, so that another order of a sheet's rows, another
name of a concept or a file written anew with the same content is the same training.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline_lib.dreambooth.training_data import check_captions, concept_to_prompt
from pipeline_lib.files import value_to_sha256
from pipeline_lib.settings.trained_concepts import TrainedConcept
from pipeline_lib.settings.training import TrainingSettings
from pipeline_lib.settings.training_keys import JUDGING, SHAPE_NO_WEIGHT

Array = npt.NDArray[Any]
ROLES = ("train", "validation")
TEXTS = (".md", ".png")  # of a base model's files: what is said of it, which no weight depends on


@dataclass(frozen=True)
class ConceptInputs:
    """One concept of a run, with what it is trained on.

    Attributes
    ----------
    concept : TrainedConcept
        Its settings.
    identifier : str
        Its token.
    latents : mapping of str to ndarray
        ``train.mean``, ``train.std``, ``validation.mean`` and ``validation.std``, each of tiles.
    captions : tuple of str
        One a training tile; none where its prompt takes none.
    """

    concept: TrainedConcept
    identifier: str
    latents: Mapping[str, Array]
    captions: tuple[str, ...] = ()

    @property
    def prompt(self) -> str:
        """Return its training prompt, without captions."""
        return concept_to_prompt(self.concept, self.identifier)

    def in_order(self) -> ConceptInputs:
        """Return the same with its tiles sorted by what they are."""
        check_captions(self.concept, self.captions, len(self.latents["train.mean"]))
        latents: dict[str, Array] = {}
        captions = self.captions
        for role in ROLES:
            stacks = [self.latents[f"{role}.{kind}"] for kind in ("mean", "std")]
            told = captions if role == "train" else ()
            order = np.argsort(tiles_to_sha256(*stacks, captions=told), kind="stable")
            latents |= {
                f"{role}.{kind}": stack[order]
                for kind, stack in zip(("mean", "std"), stacks, strict=True)
            }
            if told:
                captions = tuple(told[number] for number in order)
        return ConceptInputs(self.concept, self.identifier, latents, captions)

    def description(self) -> dict[str, Any]:
        """Return what a model's card says of the concept, JSON-able."""
        return {
            "identifier": self.identifier,
            "noun": self.concept.noun,
            "modality": self.concept.modality,
            "dataset": self.concept.dataset,
            "prompt": self.prompt,
            "class_prompt": self.concept.class_prompt,
            "tiles": len(self.latents["train.mean"]),
        }

    def fingerprint(self) -> dict[str, Any]:
        """Return what tells it from another, JSON-able; its tiles are in order."""
        digests = {
            role: tiles_to_sha256(
                self.latents[f"{role}.mean"],
                self.latents[f"{role}.std"],
                captions=self.captions if role == "train" else (),
            )
            for role in ROLES
        }
        return {
            "prompt": self.prompt,
            "template": self.concept.training_prompt if self.captions else None,
            "class_prompt": self.concept.class_prompt,
            "prior_weight": self.concept.prior_weight,
            **{role: value_to_sha256(tiles) for role, tiles in digests.items()},
        }


def tiles_to_sha256(mean: Array, deviation: Array, captions: Sequence[str] = ()) -> list[str]:
    """Return the SHA-256 of each tile: of its latents of every view, and of its caption.

    Parameters
    ----------
    mean, deviation : ndarray
        (tiles, views, channels, h, w).
    captions : sequence of str
        One a tile, or none.

    Returns
    -------
    list of str
        64 hexadecimal digits a tile.
    """
    told = captions or [""] * len(mean)
    return [
        hashlib.sha256(m.tobytes() + d.tobytes() + caption.encode()).hexdigest()
        for m, d, caption in zip(mean, deviation, told, strict=True)
    ]


def concepts_in_order(concepts: Sequence[ConceptInputs]) -> tuple[ConceptInputs, ...]:
    """Return concepts by their prompts, each with its tiles by what they are."""
    return tuple(sorted((one.in_order() for one in concepts), key=lambda one: one.prompt))


def training_fingerprint(
    settings: TrainingSettings,
    base_files: Mapping[str, str],
    concepts: Sequence[ConceptInputs],
    priors: Mapping[str, Array],
    judged_by: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return all that shapes the weights of a trained model, JSON-able.

    Parameters
    ----------
    settings : TrainingSettings
        How it is trained; those that shape no weight are left out.
    base_files : mapping
        SHA-256 of the base model's files by name; texts about it are left out.
    concepts : sequence of ConceptInputs
        In order.
    priors : mapping
        Class latents by class prompt; only those that a concept asks for count.
    judged_by : mapping, optional
        SHA-256 of what judges the training by name; it counts where the best step is kept.

    Returns
    -------
    dict
        Equal for equal trainings.
    """
    asked = {one.concept.class_prompt for one in concepts}
    chosen = settings.keep == "best"
    left_out = SHAPE_NO_WEIGHT if chosen else SHAPE_NO_WEIGHT | JUDGING
    return {
        "settings": settings.model_dump(mode="json", exclude=set(left_out)),
        **({"judged_by": dict(judged_by or {})} if chosen else {}),
        "model": {name: sha for name, sha in base_files.items() if not name.endswith(TEXTS)},
        "concepts": [one.fingerprint() for one in concepts],
        "priors": {
            prompt: hashlib.sha256(np.ascontiguousarray(latents).tobytes()).hexdigest()
            for prompt, latents in sorted(priors.items())
            if prompt in asked
        },
    }
