"""The contexts of a study: which prompts and models are compared, and what stages are told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.contexts import (
    ContextColumn,
    ContextPrompt,
    ContextsStage,
    ContextValuesStage,
    Kind,
)
from pipeline_lib.settings.sampling import ContextImagesStage, Prompt, SampleStage
from pipeline_lib.settings.templates import template_to_prompt
from pipeline_lib.settings.trained_concepts import TrainedConcept
from pipeline_lib.study.parts import UNTUNED, ImageSet, Run, Study, image_folder
from pipeline_lib.study.stages import drawn_stage

CLASS = "-class"  # behind a prompt's name: the tuned model is asked for the class alone
FILE = "config/prompts/contexts.yaml"


def context_prompts(study: Study) -> Mapping[str, Prompt]:
    """Return the prompts that are compared with the evaluation's, by name.

    Raises
    ------
    UserError
        If no run's model reads prompts, there are no other prompts, one of them does not say what
        its words should move, the prompt that they are compared with does, or two would share
        their images' name.
    """
    if not prompted_runs(study):
        raise UserError(
            "all runs are models from scratch, which read no prompts; contexts need a run of "
            "another `method`"
        )
    configuration = study.configuration
    neutral = configuration.evaluation.prompt
    prompts = dict(configuration.sampling.prompts)
    if prompts.pop(neutral).moves:
        raise UserError(
            f"configuration: sampling.prompts.{neutral}.moves: the other prompts are compared with "
            "this one (evaluation.prompt), which so moves nothing; take its `moves` away, or let "
            "evaluation.prompt be another one"
        )
    for name, one in prompts.items():
        if name.removesuffix(CLASS) in configuration.sampling.prompts and name.endswith(CLASS):
            raise UserError(
                f"configuration: sampling.prompts.{name}: this is what the images of the class "
                f"alone by `{name.removesuffix(CLASS)}` are called; rename the prompt"
            )
        if one.moves is None:
            raise UserError(
                f"configuration: sampling.prompts.{name}: nothing says which way its words should "
                "move what is measured; give it `moves`, such as `{density: up}`, or `moves: {}` "
                "if they should move nothing"
            )
    if not any(one.moves for one in prompts.values()):
        raise UserError(
            f"no contexts to compare: name {FILE} behind your configuration, or give prompts of "
            "`sampling.prompts` their `moves`"
        )
    return prompts


def prompted_runs(study: Study) -> list[Run]:
    """Return the runs whose models read prompts: those from scratch do not."""
    return [run for run in study.runs.values() if not run.from_scratch]


def context_bases(study: Study) -> tuple[str, ...]:
    """Return the base models of what is compared, each once."""
    return tuple(dict.fromkeys(run.base for run in prompted_runs(study)))


def context_columns(study: Study) -> list[ContextColumn]:
    """Return the models and subjects that are compared, dataset by dataset, the base first."""
    columns = [
        column
        for run in prompted_runs(study)
        for trained in run.concepts
        for column in _columns_of(study, run, trained)
    ]
    each_once = {(one.model, one.dataset, one.kind): one for one in columns}
    datasets = [*dict.fromkeys(one.dataset for one in columns)]
    return sorted(
        each_once.values(), key=lambda one: (datasets.index(one.dataset), one.kind != "untuned")
    )


def _columns_of(study: Study, run: Run, trained: TrainedConcept) -> Iterator[ContextColumn]:
    """Yield the columns of a run's concept: its base's, its own, and the class's if it is drawn."""
    yield _column(study, run, trained, f"{UNTUNED}{run.base}", "untuned")
    yield _column(study, run, trained, run.name, "tuned")
    if study.configuration.contexts.class_images:
        yield _column(study, run, trained, run.name, "class")


def _column(
    study: Study, run: Run, trained: TrainedConcept, model: str, kind: Kind
) -> ContextColumn:
    """Return one column of the matrix."""
    ending = CLASS if kind == "class" else ""
    neutral = study.configuration.evaluation.prompt
    return ContextColumn(
        model=model,
        base=run.base,
        dataset=trained.dataset,
        kind=kind,
        noun=trained.noun,
        modality=trained.modality.replace("_", " "),
        prior_weight=None if kind == "untuned" else run.training.prior_weight,
        neutral=image_folder(trained.dataset, neutral + ending),
        sets={
            name: image_folder(trained.dataset, name + ending) for name in context_prompts(study)
        },
        controls=_controls(study, trained),
    )


def _controls(study: Study, trained: TrainedConcept) -> tuple[str, ...]:
    """Return the prompts that, filled in for a concept, are the neutral one."""
    prompts = study.configuration.sampling.prompts
    texts = {
        name: template_to_prompt(one.template, trained.modality, trained.noun)
        for name, one in prompts.items()
    }
    neutral = study.configuration.evaluation.prompt
    return tuple(name for name in texts if name != neutral and texts[name] == texts[neutral])


def context_files(study: Study) -> list[tuple[str, str]]:
    """Return model and dataset of each table of measured values."""
    return [*dict.fromkeys((one.model, one.dataset) for one in context_columns(study))]


def context_images_stage(study: Study, model: str, folder: str) -> ContextImagesStage:
    """Return the settings of drawing a model's images of a dataset by all prompts.

    They are named by the model and the folder of its images by the neutral prompt.
    """
    dataset = study.image_sets[model, folder].dataset
    prompts = study.configuration.sampling.prompts
    neutral = study.configuration.evaluation.prompt
    return ContextImagesStage(
        sets=tuple(
            _drawn(study, column, name, prompts[name])
            for column in context_columns(study)
            if (column.model, column.dataset) == (model, dataset)
            for name in (neutral, *column.sets)
        )
    )


def _drawn(study: Study, column: ContextColumn, name: str, prompt: Prompt) -> SampleStage:
    """Return the settings of one image set of a column."""
    dataset = study.configuration.datasets[column.dataset]
    wanted = study.configuration.contexts
    neutral = name == study.configuration.evaluation.prompt
    images = ImageSet(
        model=column.model,
        base=column.base,
        run=None if column.kind == "untuned" else column.model,
        dataset=column.dataset,
        concept=dataset.concept,
        prompt_name=name + (CLASS if column.kind == "class" else ""),
        prompt=prompt,
        size=dataset.tiles.size,
        count=wanted.neutral_count if neutral else wanted.count,
        identifier=column.kind != "class",
    )
    return drawn_stage(study, images, 0, images.count)


def context_values_stage(study: Study, model: str, folder: str) -> ContextValuesStage:
    """Return the settings of measuring a model's images of a dataset, named as above."""
    return ContextValuesStage(
        concept=study.image_sets[model, folder].concept,
        segmenter=study.configuration.evaluation.segmenter,
    )


def contexts_stage(study: Study) -> ContextsStage:
    """Return the settings of the page of contexts."""
    configuration = study.configuration
    prompts = context_prompts(study)
    return ContextsStage(
        title=configuration.report.title,
        confidence=configuration.evaluation.confidence,
        neutral=configuration.sampling.prompts[configuration.evaluation.prompt].template,
        prompts=tuple(
            ContextPrompt(name=name, template=one.template, moves=one.moves or {})
            for name, one in prompts.items()
        ),
        columns=tuple(context_columns(study)),
        files=tuple(context_files(study)),
        bases=context_bases(study),
        pairs=tuple(_pairs(study)),
    )


def _pairs(study: Study) -> Iterator[tuple[str, str, str]]:
    """Yield dataset, run with prior preservation, and the run that differs by its lack alone."""
    for kept in prompted_runs(study):
        for without in prompted_runs(study):
            if kept.training.prior_weight and not without.training.prior_weight:
                for dataset in _shared_datasets(kept, without):
                    yield dataset, kept.name, without.name


def _shared_datasets(kept: Run, without: Run) -> list[str]:
    """Return the datasets of two runs if they are alike but for the prior's weight, else none."""
    training = kept.training.model_copy(update={"prior_weight": without.training.prior_weight})
    alike = (kept.base, training) == (without.base, without.training)
    same = [(one.dataset, one.identifier) for one in kept.concepts] == [
        (one.dataset, one.identifier) for one in without.concepts
    ]
    return [one.dataset for one in kept.concepts] if alike and same else []
