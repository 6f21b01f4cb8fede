"""The latent cache, the decoder's tuning, the camera's noise that is lost, and the trainings."""


rule latents:
    input:
        model=results("base_models/{base}.json"),
        train=results("datasets/{dataset}/train.tif"),
        validation=results("datasets/{dataset}/validation.tif"),
        holdout=results("datasets/{dataset}/holdout.tif"),
    output:
        latents=results("latents/{base}/{dataset}.safetensors"),
        roundtrip=results("latents/{base}/{dataset}.roundtrip.tif"),
        train_roundtrip=results("latents/{base}/{dataset}.train-roundtrip.tif"),
        figures=results("latents/{base}/{dataset}.json"),
    log:
        log_file("latents/{base}/{dataset}"),
    priority: FIRST
    conda:
        "../envs/diffusion.yaml"
    threads: BESIDE_ANOTHER
    resources:
        mem_mb=doubled_at_retries(16000),
        runtime=30,
        gpu=1,
        batch_size=lambda wildcards, attempt: halved_at_retries(
            CONFIGURATION.latents.batch_size, attempt
        ),
    params:
        paths=paths_as_options,
        settings=lambda wildcards: as_json(stages.latents_stage(STUDY, wildcards.dataset)),
        version=RESULT_VERSION["latents"],
    shell:
        command("latents", batch_size="{resources.batch_size}")


rule compare_nouns:
    input:
        model=results("base_models/{base}.json"),
        latents=results("latents/{base}/{dataset}.safetensors"),
    output:
        table=results("nouns/{base}/{dataset}.tsv"),
    log:
        log_file("nouns/{base}/{dataset}"),
    conda:
        "../envs/diffusion.yaml"
    threads: BESIDE_ANOTHER
    resources:
        mem_mb=doubled_at_retries(16000),
        runtime=60,
        gpu=1,
    params:
        paths=paths_as_options,
        settings=lambda wildcards: as_json(stages.nouns_stage(STUDY, wildcards.dataset)),
        version=RESULT_VERSION["nouns"],
    shell:
        command("nouns")


rule tune_decoder:
    input:
        model=results("base_models/{base}.json"),
        latents=results("latents/{base}/{dataset}.safetensors"),
        train=results("datasets/{dataset}/train.tif"),
        validation=results("datasets/{dataset}/validation.tif"),
    output:
        tuned=directory(results("decoders/{base}/{dataset}/model")),
        history=results("decoders/{base}/{dataset}/training.csv"),
        previews=report(
            results("decoders/{base}/{dataset}/previews.png"),
            category="Training",
            labels={"run": "{dataset}", "what": "decoder ({base})"},
        ),
    log:
        log_file("tune_decoder/{base}/{dataset}"),
    priority: FIRST
    conda:
        "../envs/diffusion.yaml"
    threads: THREADS
    resources:
        mem_mb=doubled_at_retries(16000),
        runtime=120,
        gpu=1,
    params:
        paths=paths_as_options,
        settings=lambda wildcards: as_json(
            stages.decoder_stage(STUDY, wildcards.base, wildcards.dataset)
        ),
        version=RESULT_VERSION["tune_decoder"],
    shell:
        command("tune_decoder", state="work/decoders")


rule decoder_roundtrip:
    input:
        model=results("base_models/{base}.json"),
        tuned=results("decoders/{base}/{dataset}/model"),
        train=results("datasets/{dataset}/train.tif"),
        holdout=results("datasets/{dataset}/holdout.tif"),
        base_roundtrip=results("latents/{base}/{dataset}.roundtrip.tif"),
        base_train_roundtrip=results("latents/{base}/{dataset}.train-roundtrip.tif"),
    output:
        roundtrip=results("decoders/{base}/{dataset}/roundtrip.tif"),
        train_roundtrip=results("decoders/{base}/{dataset}/train-roundtrip.tif"),
        cost=results("decoders/{base}/{dataset}/cost.json"),
    log:
        log_file("decoder_roundtrip/{base}/{dataset}"),
    conda:
        "../envs/diffusion.yaml"
    threads: BESIDE_ANOTHER
    resources:
        mem_mb=doubled_at_retries(16000),
        runtime=30,
        gpu=1,
        batch_size=lambda wildcards, attempt: halved_at_retries(
            CONFIGURATION.latents.batch_size, attempt
        ),
    params:
        paths=paths_as_options,
        settings=lambda wildcards: as_json(stages.decoder_roundtrip_stage(wildcards.dataset)),
        version=RESULT_VERSION["decoder_roundtrip"],
    shell:
        command("decoder_roundtrip", batch_size="{resources.batch_size}")


rule camera:
    input:
        train=results("datasets/{dataset}/train.tif"),
        train_roundtrip=round_trip_of_dataset("train-roundtrip"),
        roundtrip=round_trip_of_dataset("roundtrip"),
    output:
        camera=results("camera/{base}/{dataset}.json"),
        noisy=results("camera/{base}/{dataset}.roundtrip.tif"),
        picture=report(
            results("camera/{base}/{dataset}.png"),
            category="Images",
            labels={"concept": "{dataset}", "what": "camera noise ({base})"},
        ),
    log:
        log_file("camera/{base}/{dataset}"),
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=doubled_at_retries(4000),
        runtime=30,
    params:
        paths=paths_as_options,
        settings=lambda wildcards: as_json(stages.camera_stage(wildcards.dataset)),
        version=RESULT_VERSION["camera"],
    shell:
        command("camera")


rule finetune:
    input:
        model=of_base("base_models/{base}.json"),
        identifiers=run_identifiers,
        latents=of_datasets("latents/{base}/{dataset}.safetensors"),
        priors=lambda wildcards: run_priors(wildcards.run, ".safetensors"),
        tables=captioned_tables,
        decoders=of_tuned_datasets("decoders/{base}/{dataset}/model"),
        judge=judge_of_run,
        train_tiles=of_judged("datasets/{dataset}/train.tif"),
        train_tables=of_judged("datasets/{dataset}/train.tsv"),
        validation_tiles=of_judged("datasets/{dataset}/validation.tif"),
        validation_tables=of_judged("datasets/{dataset}/validation.tsv"),
        train_regions=of_judged("datasets/{dataset}/train-regions.tif"),
        splits=of_judged("datasets/{dataset}/split.tsv"),
        train_roundtrips=of_judged("latents/{base}/{dataset}.train-roundtrip.tif"),
    output:
        trained=directory(results("runs/{run}/model")),
        history=results("runs/{run}/training.csv"),
        previews=report(
            results("runs/{run}/previews.png"),
            category="Training",
            labels={"run": "{run}", "what": "previews"},
        ),
    log:
        log_file("finetune/{run}"),
    wildcard_constraints:
        run=named_runs(from_scratch=False),
    priority: FIRST
    conda:
        "../envs/diffusion.yaml"
    threads: THREADS
    resources:
        mem_mb=doubled_at_retries(48000),
        runtime=480,
        gpu=1,
    params:
        paths=paths_as_options,
        settings=lambda wildcards: as_json(stages.finetune_stage(STUDY, wildcards.run)),
        version=RESULT_VERSION["finetune"],
    shell:
        command("finetune", state="work/finetune")


rule train_from_scratch:
    input:
        model=of_base("base_models/{base}.json"),
        tiles=of_pixel_runs("datasets/{dataset}/train.tif"),
        validation=of_pixel_runs("datasets/{dataset}/validation.tif"),
        latents=of_latent_runs("latents/{base}/{dataset}.safetensors"),
        judge=judge_of_run,
        train_tiles=of_judged("datasets/{dataset}/train.tif"),
        train_tables=of_judged("datasets/{dataset}/train.tsv"),
        validation_tiles=of_judged("datasets/{dataset}/validation.tif"),
        validation_tables=of_judged("datasets/{dataset}/validation.tsv"),
        train_regions=of_judged("datasets/{dataset}/train-regions.tif"),
        splits=of_judged("datasets/{dataset}/split.tsv"),
        train_roundtrips=of_judged("latents/{base}/{dataset}.train-roundtrip.tif"),
    output:
        trained=directory(results("runs/{run}/model")),
        history=results("runs/{run}/training.csv"),
        previews=report(
            results("runs/{run}/previews.png"),
            category="Training",
            labels={"run": "{run}", "what": "previews"},
        ),
    log:
        log_file("train_from_scratch/{run}"),
    wildcard_constraints:
        run=named_runs(from_scratch=True),
    priority: FIRST
    conda:
        "../envs/diffusion.yaml"
    threads: THREADS
    resources:
        mem_mb=doubled_at_retries(16000),
        runtime=480,
        gpu=1,
    params:
        paths=paths_as_options,
        settings=lambda wildcards: as_json(stages.scratch_stage(STUDY, wildcards.run)),
        version=RESULT_VERSION["train_from_scratch"],
    shell:
        command("train_from_scratch", state="work/from_scratch")
