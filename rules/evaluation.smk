"""Extractors, features and metrics."""


localrules:
    fetch_extractor,


rule fetch_extractor:
    output:
        extractor=results("extractors/{extractor}.json"),
    log:
        log_file("fetch_extractor/{extractor}"),
    conda:
        "../envs/diffusion.yaml"
    params:
        paths=paths_as_options,
        settings=lambda wildcards: as_json(stages.fetch_extractor_stage(STUDY, wildcards.extractor)),
        content=lambda wildcards: entry_content(EXTRACTORS[wildcards.extractor]),
        version=RESULT_VERSION["fetch_extractor"],
    shell:
        command("fetch_extractor", root='"$BRIGHTBOOTH"', downloads="work/extractors")


rule features_of_tiles:
    input:
        extractor=results("extractors/{extractor}.json"),
        images=results("datasets/{dataset}/{role}.tif"),
        tables=results("datasets/{dataset}/{role}.tsv"),
    output:
        features=results(feature_path("tiles/{dataset}-{role}")),
    log:
        log_file("features/{extractor}/tiles/{dataset}-{role}"),
    conda:
        "../envs/diffusion.yaml"
    threads: BESIDE_ANOTHER
    resources:
        mem_mb=doubled_at_retries(8000),
        runtime=30,
        gpu=1,
    params:
        paths=paths_as_options,
        settings=as_json(stages.real_features_stage()),
        version=RESULT_VERSION["features"],
    shell:
        command("features")


use rule features_of_tiles as features_of_roundtrip with:
    input:
        extractor=results("extractors/{extractor}.json"),
        images=lambda wildcards: compared_round_trip(wildcards.base, wildcards.dataset),
        tables=results("datasets/{dataset}/holdout.tsv"),
    output:
        features=results(feature_path("roundtrip/{base}/{dataset}")),
    log:
        log_file("features/{extractor}/roundtrip/{base}/{dataset}"),


use rule features_of_tiles as features_of_samples with:
    input:
        extractor=results("extractors/{extractor}.json"),
        images=lambda wildcards: sample_shards(wildcards.model, wildcards.prompt),
    output:
        features=results(feature_path("samples/{model}/{prompt}")),
    log:
        log_file("features/{extractor}/samples/{model}/{prompt}"),
    resources:
        mem_mb=doubled_at_retries(8000),
        runtime=120,
        gpu=1,
    params:
        paths=paths_as_options,
        settings=lambda wildcards: as_json(
            stages.sample_features_stage(
                STUDY, wildcards.extractor, wildcards.model, wildcards.prompt
            )
        ),
        version=RESULT_VERSION["features"],


rule diversity:
    input:
        extractor=results("extractors/{extractor}.json"),
        train_tiles=of_datasets("datasets/{dataset}/train.tif"),
        holdout_tiles=of_datasets("datasets/{dataset}/holdout.tif"),
        train_tables=of_datasets("datasets/{dataset}/train.tsv"),
        holdout_tables=of_datasets("datasets/{dataset}/holdout.tsv"),
        roundtrips=compared_round_trips,
        tuned_shards=compared_shards("tuned"),
        untuned_shards=compared_shards("untuned"),
        class_shards=compared_shards("class"),
    output:
        diversity=results("diversity/{extractor}/{run}.csv"),
    log:
        log_file("diversity/{extractor}/{run}"),
    conda:
        "../envs/diffusion.yaml"
    threads: BESIDE_ANOTHER
    resources:
        mem_mb=doubled_at_retries(8000),
        runtime=60,
        gpu=1,
    params:
        paths=paths_as_options,
        settings=lambda wildcards: as_json(stages.diversity_stage(STUDY, wildcards.run)),
        version=RESULT_VERSION["diversity"],
    shell:
        command("diversity")


rule metrics:
    input:
        train_tiles=of_datasets("datasets/{dataset}/train.tif"),
        holdout_tiles=of_datasets("datasets/{dataset}/holdout.tif"),
        train_tables=of_datasets("datasets/{dataset}/train.tsv"),
        holdout_tables=of_datasets("datasets/{dataset}/holdout.tsv"),
        roundtrips=compared_round_trips,
        train_regions=of_datasets("datasets/{dataset}/train-regions.tif"),
        splits=of_datasets("datasets/{dataset}/split.tsv"),
        train_roundtrips=train_round_trips,
        train_features=features_of_datasets("tiles/{dataset}-train"),
        holdout_features=features_of_datasets("tiles/{dataset}-holdout"),
        roundtrip_features=features_of_datasets("roundtrip/{base}/{dataset}"),
        tuned_features=compared_features("tuned"),
        untuned_features=compared_features("untuned"),
        class_features=compared_features("class"),
        tuned_shards=compared_shards("tuned"),
        untuned_shards=compared_shards("untuned"),
        class_shards=compared_shards("class"),
        diversities=diversities,
    output:
        metrics=results("metrics/{run}.csv"),
        copies=results("metrics/{run}.copies.tsv"),
        similarities=results("metrics/{run}.similarities.csv"),
        objects=results("metrics/{run}.objects.csv"),
        counts=results("metrics/{run}.counts.csv"),
        windows=results("metrics/{run}.copies.tif"),
    log:
        log_file("metrics/{run}"),
    conda:
        "../envs/imaging.yaml"
    threads: THREADS
    resources:
        mem_mb=doubled_at_retries(16000),
        runtime=120,
    params:
        paths=paths_as_options,
        settings=lambda wildcards: as_json(stages.metrics_stage(STUDY, wildcards.run)),
        version=RESULT_VERSION["metrics"],
    shell:
        command("metrics")
