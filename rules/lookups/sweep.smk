"""Lookups of the rules of ways of sampling."""


def swept(pattern):
    """Return an input function: a file for each way of each concept of the run, concept by concept."""
    return lambda wildcards: [
        results(pattern.format(extractor=HEADLINE, model=model, prompt=folder, way=way))
        for model, folder in compared_sets(STUDY, wildcards.run, "tuned")
        for way in run_ways(STUDY, wildcards.run)
    ]


def headline_features(name):
    """Return an input function: features of each dataset of the run by the extractor that judges."""
    return lambda wildcards: [
        results(feature_path(name).format(extractor=HEADLINE, dataset=one.dataset))
        for one in STUDY.runs[wildcards.run].concepts
    ]


def all_sweeps(wildcards):
    """Return all tables of ways of sampling; input of a target, so that only asking for it refuses."""
    if not WAYS:
        raise WorkflowError(
            "no ways of sampling to compare: name some `steps` or scales of `guidance` in `sweep` of"
            " the configuration"
        )
    swept_runs = [run for run in STUDY.runs if run_ways(STUDY, run)]
    return [results(f"sweep/{run}.csv") for run in swept_runs]


def sweep_of_run(wildcards):
    """Return the table of the ways of sampling a run, none where none are compared."""
    return [results(f"sweep/{wildcards.run}.csv")] if run_ways(STUDY, wildcards.run) else []
