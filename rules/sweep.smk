"""Ways of sampling a run, compared by their distance to validation tiles."""


use rule sample as sweep_samples with:
    input:
        model=results("runs/{model}/model"),
        base=base_of_adapters,
        camera=camera_of_images,
        decoders=decoder_of_images,
    output:
        shard=results("sweep/{model}/{prompt}/{way}.zip"),
        time=results("sweep/{model}/{prompt}/{way}.json"),
    log:
        log_file("sweep/{model}/{prompt}/{way}"),
    params:
        paths=paths_as_options,
        settings=lambda wildcards: as_json(
            swept_sample_stage(STUDY, wildcards.model, wildcards.prompt, wildcards.way)
        ),
        version=RESULT_VERSION["sample"],


use rule features_of_tiles as features_of_sweep with:
    input:
        extractor=results("extractors/{extractor}.json"),
        images=results("sweep/{model}/{prompt}/{way}.zip"),
    output:
        features=results(feature_path("sweep/{model}/{prompt}/{way}")),
    log:
        log_file("features/{extractor}/sweep/{model}/{prompt}/{way}"),


rule sweep:
    input:
        features=swept(feature_path("sweep/{model}/{prompt}/{way}")),
        times=swept("sweep/{model}/{prompt}/{way}.json"),
        validation=headline_features("tiles/{dataset}-validation"),
        train=headline_features("tiles/{dataset}-train"),
    output:
        table=results("sweep/{run}.csv"),
        chart=report(
            results("sweep/{run}.png"),
            category="Training",
            labels={"run": "{run}", "what": "ways of sampling"},
        ),
    log:
        log_file("sweep/{run}"),
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=doubled_at_retries(2000),
        runtime=10,
    params:
        paths=paths_as_options,
        settings=lambda wildcards: as_json(sweep_stage(STUDY, wildcards.run)),
        version=RESULT_VERSION["sweep"],
    shell:
        command("sweep")
