"""Upscalers that are tuned to a dataset in two ways, their comparison, and enlarged images."""


rule tune_upscaler:
    input:
        train=results("datasets/{dataset}/train.tif"),
        validation=results("datasets/{dataset}/validation.tif"),
    output:
        tuned=directory(results("upscalers/{dataset}/{way}/model")),
        history=results("upscalers/{dataset}/{way}/training.csv"),
        previews=report(
            results("upscalers/{dataset}/{way}/previews.png"),
            category="Training",
            labels={"run": "{dataset}", "what": "upscaler ({way} noise)"},
        ),
    log:
        log_file("tune_upscaler/{dataset}/{way}"),
    wildcard_constraints:
        way="|".join(WAYS_OF_TUNING),
    conda:
        "../envs/diffusion.yaml"
    threads: THREADS
    resources:
        mem_mb=doubled_at_retries(24000),
        runtime=240,
        gpu=1,
    params:
        paths=paths_as_options,
        settings=lambda wildcards: as_json(upscaler_stage(STUDY, wildcards.dataset, wildcards.way)),
        sha256=upscaler_sha256,
        version=RESULT_VERSION["tune_upscaler"],
    shell:
        command("tune_upscaler", model=upscaler_argument(), state="work/upscalers")


rule compare_upscalers:
    input:
        usual=results("upscalers/{dataset}/usual/model"),
        less=results("upscalers/{dataset}/less/model"),
        holdout_tiles=results("datasets/{dataset}/holdout.tif"),
        holdout_table=results("datasets/{dataset}/holdout.tsv"),
        train_regions=results("datasets/{dataset}/train-regions.tif"),
    output:
        table=results("superresolution/{dataset}/table.csv"),
        summary=results("superresolution/{dataset}/superresolution.json"),
        sheet=report(
            results("superresolution/{dataset}/sheet.png"),
            category="Images",
            labels={"concept": "{dataset}", "what": "enlarged held-out tiles"},
        ),
        large=report(
            results("superresolution/{dataset}/large.png"),
            category="Images",
            labels={"concept": "{dataset}", "what": "enlarged region, in tiles"},
        ),
    log:
        log_file("superresolution/{dataset}"),
    conda:
        "../envs/diffusion.yaml"
    threads: THREADS
    resources:
        mem_mb=doubled_at_retries(16000),
        runtime=240,
        gpu=1,
    params:
        paths=paths_as_options,
        settings=lambda wildcards: as_json(superresolution_stage(STUDY, wildcards.dataset)),
        sha256=upscaler_sha256,
        version=RESULT_VERSION["superresolution"],
    shell:
        command("superresolution", model=upscaler_argument())


rule upsample:
    input:
        shard=results("samples/{model}/{prompt}/shard-{shard}.zip"),
        tuned=upscaler_of_images,
    output:
        enlarged=results("upsampled/{model}/{prompt}/shard-{shard}.zip"),
    log:
        log_file("upsample/{model}/{prompt}-{shard}"),
    conda:
        "../envs/diffusion.yaml"
    threads: THREADS
    resources:
        mem_mb=doubled_at_retries(16000),
        runtime=480,
        gpu=1,
    params:
        paths=paths_as_options,
        settings=lambda wildcards: as_json(upsample_stage(STUDY, wildcards.model, wildcards.prompt)),
        sha256=upscaler_sha256,
        version=RESULT_VERSION["upsample"],
    shell:
        command("upsample", model=upscaler_argument())
