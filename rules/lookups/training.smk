"""Lookups of the rules of training."""


def run_identifiers(wildcards):
    """Return the rankings that a run's identifiers are taken from, concept by concept."""
    run = STUDY.runs[wildcards.run]
    return [results(f"identifiers/{run.base}/{name}.json") for name in stages.run_rankings(run)]


def round_trip_of_dataset(name):
    """Return an input function: the round trip of the rule's base and dataset."""
    return lambda wildcards: round_trip(wildcards.base, wildcards.dataset, name)


def captioned_tables(wildcards):
    """Return the tables of the tiles whose own words stand in their prompts, concept by concept."""
    concepts = STUDY.runs[wildcards.run].concepts
    return [results(f"datasets/{one.dataset}/train.tsv") for one in concepts if one.captioned]


def named_runs(from_scratch):
    """Return a pattern of the names of runs that are trained from scratch, or of the others."""
    names = [name for name, run in STUDY.runs.items() if run.from_scratch == from_scratch]
    return "|".join(names) or "no-run"


def of_pixel_runs(pattern):
    """Return an input function: one file for each dataset of the run if it is trained on pixels."""
    return lambda wildcards: (
        of_datasets(pattern)(wildcards) if STUDY.runs[wildcards.run].in_pixels else []
    )


def of_latent_runs(pattern):
    """Return an input function: one file for each dataset of the run if it is trained on latents."""
    return lambda wildcards: (
        [] if STUDY.runs[wildcards.run].in_pixels else of_datasets(pattern)(wildcards)
    )


def judge_of_run(wildcards):
    """Return the description of the extractor that judges a run's training, none without one."""
    name = STUDY.runs[wildcards.run].training.judge_by
    return [results(f"extractors/{name}.json")] if name else []


def of_judged(pattern):
    """Return an input function: one file for each dataset of the run if pictures are judged."""
    return lambda wildcards: of_datasets(pattern)(wildcards) if judge_of_run(wildcards) else []
