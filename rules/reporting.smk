"""The release, the pages of the runs and of the study."""


rule release:
    input:
        shards=compared_shards("tuned"),
        copies=results("metrics/{run}.copies.tsv"),
        intensities=of_datasets("datasets/{dataset}/intensity.json"),
        tables=of_datasets("datasets/{dataset}/train.tsv"),
        model=results("runs/{run}/model"),
        base=of_base("base_models/{base}.json"),
        sidecars=lambda wildcards: run_sidecars(wildcards.run),
    output:
        release=directory(results("release/{run}")),
    log:
        log_file("release/{run}"),
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=doubled_at_retries(4000),
        runtime=60,
    params:
        paths=paths_as_options,
        settings=lambda wildcards: as_json(stages.release_stage(STUDY, wildcards.run)),
        version=RESULT_VERSION["release"],
    shell:
        command("release")


rule report:
    input:
        metrics=results("metrics/{run}.csv"),
        copies=results("metrics/{run}.copies.tsv"),
        similarities=results("metrics/{run}.similarities.csv"),
        windows=results("metrics/{run}.copies.tif"),
        objects=results("metrics/{run}.objects.csv"),
        counts=results("metrics/{run}.counts.csv"),
        history=results("runs/{run}/training.csv"),
        previews=results("runs/{run}/previews.png"),
        model=results("runs/{run}/model"),
        sidecars=lambda wildcards: run_sidecars(wildcards.run),
        tuned_shards=compared_shards("tuned"),
        untuned_shards=compared_shards("untuned"),
        quality=of_concepts("fields/{concept}/quality.tsv"),
        splits=of_datasets("datasets/{dataset}/split.tsv"),
        intensities=of_datasets("datasets/{dataset}/intensity.json"),
        train_tiles=of_datasets("datasets/{dataset}/train.tif"),
        holdout_tiles=of_datasets("datasets/{dataset}/holdout.tif"),
        train_tables=of_datasets("datasets/{dataset}/train.tsv"),
        holdout_tables=of_datasets("datasets/{dataset}/holdout.tsv"),
        roundtrips=compared_round_trips,
        cameras=cameras_of_run,
        decoder_costs=of_tuned_datasets("decoders/{base}/{dataset}/cost.json"),
        class_images=lambda wildcards: run_priors(wildcards.run, ".tif"),
        sweep=sweep_of_run,
    output:
        page=report(
            results("report/{run}/index.html"),
            category="Reports",
            labels={"run": "{run}", "what": "page"},
        ),
        sheet=report(
            results("report/{run}/contact_sheet.png"),
            category="Reports",
            labels={"run": "{run}", "what": "real, VAE, synthetic, untuned"},
        ),
        verdict=results("report/{run}/verdict.txt"),
    log:
        log_file("report/{run}"),
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=doubled_at_retries(8000),
        runtime=30,
    params:
        paths=paths_as_options,
        settings=lambda wildcards: as_json(stages.report_stage(STUDY, wildcards.run)),
        version=RESULT_VERSION["report"],
    shell:
        command("report")


rule study:
    input:
        metrics=run_files("metrics/{run}.csv"),
        histories=run_files("runs/{run}/training.csv"),
        models=run_files("runs/{run}/model"),
        holdout_tiles=[results(f"datasets/{name}/holdout.tif") for name in STUDY.used_datasets],
    output:
        page=report(
            results("report/study/index.html"),
            category="Reports",
            labels={"run": "all", "what": "page"},
        ),
    log:
        log_file("report/study"),
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=doubled_at_retries(2000),
        runtime=10,
    params:
        paths=paths_as_options,
        settings=lambda wildcards: as_json(stages.study_stage(STUDY)),
        version=RESULT_VERSION["study"],
    shell:
        command("study")


rule survey:
    input:
        tiles=of_surveyed("datasets/{dataset}/holdout.tif"),
        table=of_surveyed("datasets/{dataset}/holdout.tsv"),
        shards=surveyed_shards,
    output:
        page=results("survey/{run}/{concept}/survey.html"),
        key=results("survey/{run}/{concept}/survey_key.json"),
    log:
        log_file("survey/{run}/{concept}"),
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=doubled_at_retries(4000),
        runtime=10,
    params:
        paths=paths_as_options,
        settings=lambda wildcards: as_json(
            stages.survey_stage(STUDY, wildcards.run, wildcards.concept)
        ),
        version=RESULT_VERSION["survey"],
    shell:
        command("survey")
