"""Whether synthetic images help a detector: known masks, detectors, and their comparison."""


rule cut_masks:
    input:
        masks=ancient(lambda wildcards: mask_files(wildcards.dataset)),
        sidecars=dataset_fields(".json"),
        split=results("datasets/{dataset}/split.tsv"),
        train_tiles=results("datasets/{dataset}/train.tif"),
        holdout_tiles=results("datasets/{dataset}/holdout.tif"),
        train_table=results("datasets/{dataset}/train.tsv"),
        holdout_table=results("datasets/{dataset}/holdout.tsv"),
    output:
        train_masks=results("datasets/{dataset}/train.masks.tif"),
        holdout_masks=results("datasets/{dataset}/holdout.masks.tif"),
        picture=results("datasets/{dataset}/masks.png"),
    log:
        log_file("masks/{dataset}"),
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=doubled_at_retries(2000),
        runtime=30,
    params:
        paths=paths_as_options,
        settings=lambda wildcards: as_json(masks_stage(STUDY, wildcards.dataset)),
        sha256=lambda wildcards: [image_sha256(path) for path in mask_files(wildcards.dataset)],
        version=RESULT_VERSION["masks"],
    shell:
        command("masks")


rule train_detectors:
    input:
        labels=results("labels/{run}"),
        train_masks=of_surveyed("datasets/{dataset}/train.masks.tif"),
        holdout_masks=of_surveyed("datasets/{dataset}/holdout.masks.tif"),
        holdout_table=of_surveyed("datasets/{dataset}/holdout.tsv"),
    output:
        trials=results("downstream/{run}/{concept}/trials.tsv"),
        detections=results("downstream/{run}/{concept}/detections.tsv"),
        tiles=results("downstream/{run}/{concept}/tiles.tsv"),
        picture=results("downstream/{run}/{concept}/found.png"),
    log:
        log_file("downstream/{run}/{concept}/detectors"),
    conda:
        "../envs/diffusion.yaml"
    threads: THREADS
    resources:
        mem_mb=doubled_at_retries(4000),
        runtime=240,
        gpu=1,
    params:
        paths=paths_as_options,
        settings=lambda wildcards: as_json(
            stages.detectors_stage(STUDY, wildcards.run, wildcards.concept)
        ),
        version=RESULT_VERSION["detectors"],
    shell:
        command("detectors", state="work/detectors")


rule compare_detectors:
    input:
        trials=results("downstream/{run}/{concept}/trials.tsv"),
        detections=results("downstream/{run}/{concept}/detections.tsv"),
        tiles=results("downstream/{run}/{concept}/tiles.tsv"),
        picture=results("downstream/{run}/{concept}/found.png"),
    output:
        table=results("downstream/{run}/{concept}/scores.tsv"),
        summary=results("downstream/{run}/{concept}/downstream.json"),
        curve=results("downstream/{run}/{concept}/curve.png"),
        page=report(
            results("downstream/{run}/{concept}/downstream.html"),
            category="Reports",
            labels={"run": "{run}", "what": "detectors"},
        ),
    log:
        log_file("downstream/{run}/{concept}/page"),
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=doubled_at_retries(2000),
        runtime=10,
    params:
        paths=paths_as_options,
        settings=lambda wildcards: as_json(
            stages.downstream_stage(STUDY, wildcards.run, wildcards.concept)
        ),
        version=RESULT_VERSION["downstream"],
    shell:
        command("downstream")
