"""Features, metrics and the release."""

FEATURES = "features/" + CONFIGURATION.evaluation.extractor


def features_settings(wildcards):
    return as_json(stages.FeaturesStage(extractor=CONFIGURATION.evaluation.extractor))


FEATURES_COMMAND = (
    "exec python {SCRIPTS}/features.py --settings {params.settings:q}"
    " --images {params.images} --tables {params.tables}"
    " --features {output.features:q} --log {log:q}"
)


rule features_of_samples:
    input:
        images=lambda wildcards: sample_shards(wildcards.model, wildcards.prompt),
    output:
        features=results(FEATURES + "/samples/{model}/{prompt}.npz"),
    params:
        settings=features_settings,
        images=input_arguments("images"),
        tables="",
        version=RESULT_VERSION["features"],
    log:
        log_file("features/samples/{model}/{prompt}"),
    conda:
        "../envs/diffusion.yaml"
    resources:
        mem_mb=8000,
        runtime=120,
        gpu=1,
    shell:
        FEATURES_COMMAND


rule features_of_tiles:
    input:
        images=results("datasets/{dataset}/{role}.tif"),
        tables=results("datasets/{dataset}/{role}.tsv"),
    output:
        features=results(FEATURES + "/tiles/{dataset}-{role}.npz"),
    params:
        settings=features_settings,
        images=input_arguments("images"),
        tables=input_arguments("tables"),
        version=RESULT_VERSION["features"],
    log:
        log_file("features/tiles/{dataset}-{role}"),
    conda:
        "../envs/diffusion.yaml"
    resources:
        mem_mb=8000,
        runtime=30,
        gpu=1,
    shell:
        FEATURES_COMMAND


rule features_of_roundtrip:
    input:
        images=results("latents/{base}/{dataset}.roundtrip.tif"),
        tables=results("datasets/{dataset}/holdout.tsv"),
    output:
        features=results(FEATURES + "/roundtrip/{base}/{dataset}.npz"),
    params:
        settings=features_settings,
        images=input_arguments("images"),
        tables=input_arguments("tables"),
        version=RESULT_VERSION["features"],
    log:
        log_file("features/roundtrip/{base}/{dataset}"),
    conda:
        "../envs/diffusion.yaml"
    resources:
        mem_mb=8000,
        runtime=30,
        gpu=1,
    shell:
        FEATURES_COMMAND


def of_datasets(pattern):
    """Return an input function: one file for each dataset of the run."""
    return lambda wildcards: [
        results(pattern.format(dataset=name, base=STUDY.runs[wildcards.run].base))
        for name in run_datasets(wildcards.run)
    ]


def of_sets(tuned):
    """Return an input function: the shards that the run is judged by."""
    return lambda wildcards: [
        path
        for model, folder in compared_sets(wildcards.run, tuned)
        for path in sample_shards(model, folder)
    ]


def set_features(tuned):
    """Return an input function: the features that the run is judged by."""
    return lambda wildcards: [
        results(f"{FEATURES}/samples/{model}/{folder}.npz")
        for model, folder in compared_sets(wildcards.run, tuned)
    ]


def metrics_settings(wildcards):
    return as_json(
        stages.MetricsStage(
            run=wildcards.run,
            concepts=evaluated_concepts(wildcards.run),
            evaluation=CONFIGURATION.evaluation,
        )
    )


rule metrics:
    input:
        train_tiles=of_datasets("datasets/{dataset}/train.tif"),
        holdout_tiles=of_datasets("datasets/{dataset}/holdout.tif"),
        train_tables=of_datasets("datasets/{dataset}/train.tsv"),
        holdout_tables=of_datasets("datasets/{dataset}/holdout.tsv"),
        roundtrips=of_datasets("latents/{base}/{dataset}.roundtrip.tif"),
        train_features=of_datasets(FEATURES + "/tiles/{dataset}-train.npz"),
        holdout_features=of_datasets(FEATURES + "/tiles/{dataset}-holdout.npz"),
        roundtrip_features=of_datasets(FEATURES + "/roundtrip/{base}/{dataset}.npz"),
        tuned_features=set_features(tuned=True),
        untuned_features=set_features(tuned=False),
        tuned_shards=of_sets(tuned=True),
        untuned_shards=of_sets(tuned=False),
    output:
        metrics=results("metrics/{run}.csv"),
        copies=results("metrics/{run}.copies.tsv"),
    params:
        settings=metrics_settings,
        tuned_shards=input_arguments("tuned_shards"),
        untuned_shards=input_arguments("untuned_shards"),
        version=RESULT_VERSION["metrics"],
    log:
        log_file("metrics/{run}"),
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=16000,
        runtime=60,
    shell:
        "exec python {SCRIPTS}/metrics.py --settings {params.settings:q}"
        " --train-tiles {input.train_tiles:q} --holdout-tiles {input.holdout_tiles:q}"
        " --train-tables {input.train_tables:q} --holdout-tables {input.holdout_tables:q}"
        " --roundtrips {input.roundtrips:q} --train-features {input.train_features:q}"
        " --holdout-features {input.holdout_features:q}"
        " --roundtrip-features {input.roundtrip_features:q}"
        " --tuned-features {input.tuned_features:q}"
        " --untuned-features {input.untuned_features:q}"
        " --tuned-shards {params.tuned_shards} --untuned-shards {params.untuned_shards}"
        " --metrics {output.metrics:q} --copies {output.copies:q} --log {log:q}"
