"""Lookups of the rules of contexts."""

from pipeline_lib.study.contexts import (
    context_bases,
    context_files,
    context_images_stage,
    context_prompts,
    context_values_stage,
    contexts_stage,
)


def of_context(pattern):
    """Return an input function: a file of the dataset of a model's contexts."""
    return lambda wildcards: results(
        pattern.format(dataset=STUDY.image_sets[wildcards.model, wildcards.prompt].dataset)
    )


def context_tables(suffix):
    """Return an input function: what was measured of each model and dataset, or its pictures."""
    neutral = CONFIGURATION.evaluation.prompt
    return lambda wildcards: [
        results(f"contexts/{model}/{image_folder(dataset, neutral)}{suffix}")
        for model, dataset in context_files(STUDY)
    ]


def all_contexts(wildcards):
    """Return the page of contexts; input of a target, so that only asking for it refuses."""
    try:
        context_prompts(STUDY)
    except UserError as error:
        raise WorkflowError(str(error)) from None
    return [results("contexts/index.html")]
