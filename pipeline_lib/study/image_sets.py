"""The image sets of runs and of untuned base models."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Literal

from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.configuration import Configuration
from pipeline_lib.study.parts import UNTUNED, ImageSet, Run, Study, image_folder

CLASS_IMAGES = "class"  # a tuned model's images of the class alone, in the place of a prompt's name


def check_image_folders(configuration: Configuration) -> None:
    """Refuse names of datasets and prompts by which two sets of images would share a folder."""
    names = [*configuration.sampling.prompts]
    if configuration.evaluation.class_prompt_images:
        if CLASS_IMAGES in names:
            raise UserError(
                f"configuration: sampling.prompts.{CLASS_IMAGES}: the images of the class alone "
                "(evaluation.class_prompt_images) lie in the folder of this name; rename the prompt"
            )
        names.append(CLASS_IMAGES)
    pairs = itertools.product(configuration.datasets, names)
    earlier: dict[str, tuple[str, str]] = {}
    for dataset, prompt in pairs:
        folder = image_folder(dataset, prompt)
        first = earlier.setdefault(folder, (dataset, prompt))
        if first != (dataset, prompt):
            raise UserError(
                f"configuration: datasets.{dataset} with sampling.prompts.{prompt} and "
                f"datasets.{first[0]} with sampling.prompts.{first[1]} would share the folder "
                f"`{folder}`; rename one of them"
            )


def runs_to_image_sets(
    runs: Mapping[str, Run], configuration: Configuration
) -> dict[tuple[str, str], ImageSet]:
    """Return the image sets of all runs, and of each base where a run's is compared with it.

    A model from scratch reads no prompt: of it, only what the evaluation compares is drawn.
    """
    prompts, evaluation = configuration.sampling.prompts, configuration.evaluation
    compared = prompts[evaluation.prompt]
    untuned_count = configuration.sampling.untuned_count or compared.count
    found: dict[tuple[str, str], ImageSet] = {}
    for run in runs.values():
        base, tuned = (f"{UNTUNED}{run.base}", run.base, None), (run.name, run.base, run.name)
        drawn = {evaluation.prompt: compared} if run.from_scratch else prompts
        wanted = [(tuned, name, prompt, prompt.count, True) for name, prompt in drawn.items()]
        wanted.append((base, evaluation.prompt, compared, untuned_count, True))
        if evaluation.class_prompt_images and not run.from_scratch:
            wanted.append((tuned, CLASS_IMAGES, compared, evaluation.class_prompt_images, False))
        for trained in run.concepts:
            for model, name, prompt, *count_and_identifier in wanted:
                shared = (trained.dataset, trained.concept, name, prompt, run.size)
                one = ImageSet(*model, *shared, *count_and_identifier)
                found[one.model, one.folder] = one
    return found


def compared_sets(
    study: Study, name: str, kind: Literal["tuned", "untuned", "class"]
) -> list[tuple[str, str]]:
    """Return model and folder of image sets that a run is judged by.

    Parameters
    ----------
    study : Study
        The checked study.
    name : str
        Of the run.
    kind : str
        Its own images, those of its untuned base, or its images of the class alone, which there
        may be none of.

    Returns
    -------
    list of (str, str)
        Concept by concept.
    """
    run = study.runs[name]
    model = f"{UNTUNED}{run.base}" if kind == "untuned" else name
    prompt = CLASS_IMAGES if kind == "class" else study.configuration.evaluation.prompt
    sets = [(model, image_folder(one.dataset, prompt)) for one in run.concepts]
    return [one for one in sets if one in study.image_sets]
