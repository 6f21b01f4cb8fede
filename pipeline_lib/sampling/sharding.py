"""What one shard of synthetic images holds: indices, keys and the prompt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline_lib.randomness import key_of
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.from_scratch import FROM_SCRATCH
from pipeline_lib.settings.sampling import SampleStage
from pipeline_lib.settings.templates import template_to_prompt


@dataclass(frozen=True)
class ShardPicture:
    """One picture to make."""

    index: int
    key: int

    @property
    def file(self) -> str:
        """Return the name of its file."""
        return f"{self.index:06d}.tif"


def stage_to_pictures(stage: SampleStage) -> list[ShardPicture]:
    """Return the pictures of a shard; they depend on their global index, not on the shard.

    Parameters
    ----------
    stage : SampleStage
        First index, count, seed and prompt name.

    Returns
    -------
    list of ShardPicture
        In the order of their index.
    """
    indices = range(stage.first, stage.first + stage.count)
    seed = stage.sampler.seed
    return [
        ShardPicture(index, key_of("sample", seed, stage.prompt_name, index)) for index in indices
    ]


def stage_to_prompt(stage: SampleStage, card: dict[str, Any]) -> str:
    """Return the prompt in the words of a model.

    Parameters
    ----------
    stage : SampleStage
        Template, concept, noun and modality.
    card : dict
        The model's card. A trained one has ``concepts``, whose identifier and noun become the
        subject; the untuned base knows the noun alone, and ``stage.identifier`` may ask a trained
        one for the class alone.

    Returns
    -------
    str
        The prompt; empty for a model that reads none.

    Raises
    ------
    UserError
        If the model was not trained on the concept.
    """
    if card.get("method") == FROM_SCRATCH:
        return ""
    if "concepts" not in card or not stage.identifier:
        return template_to_prompt(stage.template, stage.modality, stage.noun)
    concepts = card["concepts"]
    if stage.concept not in concepts:
        raise UserError(
            f"the model was trained on {', '.join(concepts)}, not on `{stage.concept}`; sample a "
            "run whose datasets have that concept"
        )
    taught = concepts[stage.concept]
    return template_to_prompt(stage.template, stage.modality, taught["noun"], taught["identifier"])
