"""Lookups of the rules of detectors."""

from pipeline_lib.study.masks import known_masks, masks_stage, concepts_of_detectors


def mask_files(dataset):
    """Return the files with the known objects of a dataset's fields, in the order of the sheet."""
    return [str(one.path) for one in known_masks(STUDY, dataset_concept(dataset)).values()]


def all_downstream(wildcards):
    """Return the pages of all detectors; input of a target, so that only asking for it refuses."""
    try:
        tested = concepts_of_detectors(STUDY)
    except UserError as error:
        raise WorkflowError(str(error)) from None
    return [results(f"downstream/{run}/{concept}/downstream.html") for run, concept in tested]
