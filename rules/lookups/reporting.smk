"""Lookups of the rules of pages."""


def run_sidecars(run):
    """Return the sidecars of the fields of a run's concepts."""
    files = [field_files(one.concept, ".json") for one in STUDY.runs[run].concepts]
    return sum(files, [])


def surveyed_shards(wildcards):
    """Return the shards of a run's synthetic images of one concept."""
    wanted = CONFIGURATION.evaluation.prompt
    return sample_shards(
        wildcards.run,
        image_folder(STUDY.runs[wildcards.run].trained(wildcards.concept).dataset, wanted),
    )


def of_concepts(pattern):
    """Return an input function: one file for each concept of the run."""
    return lambda wildcards: [
        results(pattern.format(concept=one.concept)) for one in STUDY.runs[wildcards.run].concepts
    ]


def cameras_of_run(wildcards):
    """Return the camera noise that a run's images were given, concept by concept; none of pixels."""
    if not CAMERA_NOISE or STUDY.runs[wildcards.run].in_pixels:
        return []
    return of_datasets("camera/{base}/{dataset}.json")(wildcards)
