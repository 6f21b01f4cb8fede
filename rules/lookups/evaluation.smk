"""Lookups of the rules of evaluation."""


def features_of_datasets(name):
    """Return an input function: features of each dataset of the run, extractor by extractor."""
    return lambda wildcards: [
        results(
            feature_path(name).format(
                extractor=extractor, dataset=one.dataset, base=STUDY.runs[wildcards.run].base
            )
        )
        for extractor in STUDY.extractors
        for one in STUDY.runs[wildcards.run].concepts
    ]


def train_round_trips(wildcards):
    """Return the training tiles' round trip of each dataset of the run, concept by concept."""
    run = STUDY.runs[wildcards.run]
    return [round_trip(run.base, one.dataset, "train-roundtrip") for one in run.concepts]


def compared_features(kind):
    """Return an input function: the features that the run is judged by, as above."""
    return lambda wildcards: [
        results(feature_path(f"samples/{model}/{folder}").format(extractor=extractor))
        for extractor in STUDY.extractors
        for model, folder in compared_sets(STUDY, wildcards.run, kind)
    ]


def diversities(wildcards):
    """Return the run's diversity by each LPIPS that is named."""
    return [results(f"diversity/{name}/{wildcards.run}.csv") for name in STUDY.distances]
