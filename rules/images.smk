"""From raw files to tiles.

Each takes seconds: on a cluster those of a concept, which hang together, are sent as one job, in which
the profile limits how many files are read at once (`raw_files`) and so the memory.
"""


rule ingest:
    input:
        raw=ancient(lambda wildcards: raw_file(wildcards.concept, wildcards.source)),
    output:
        field=results("fields/{concept}/{source}.tif"),
        sidecar=results("fields/{concept}/{source}.json"),
    log:
        log_file("ingest/{concept}/{source}"),
    priority: FIRST
    group:
        "images"
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=doubled_at_retries(2000),
        runtime=lambda wildcards, attempt: 2 * 5 ** (attempt - 1),
        raw_files=1,
    params:
        paths=paths_as_options,
        settings=lambda wildcards: as_json(
            stages.ingest_stage(STUDY, wildcards.concept, wildcards.source)
        ),
        sha256=lambda wildcards: image_sha256(raw_file(wildcards.concept, wildcards.source)),
        version=RESULT_VERSION["ingest"],
    shell:
        command("ingest")


rule quality:
    input:
        fields=lambda wildcards: field_files(wildcards.concept, ".tif"),
        sidecars=lambda wildcards: field_files(wildcards.concept, ".json"),
    output:
        table=results("fields/{concept}/quality.tsv"),
        near_duplicates=results("fields/{concept}/near_duplicates.tsv"),
        picture=report(
            results("fields/{concept}/quality.png"),
            category="Images",
            labels={"concept": "{concept}", "what": "quality"},
        ),
    log:
        log_file("quality/{concept}"),
    priority: FIRST
    group:
        "images"
    conda:
        "../envs/imaging.yaml"
    threads: BESIDE_ANOTHER
    resources:
        mem_mb=doubled_at_retries(2000),
        runtime=30,
    params:
        paths=paths_as_options,
        settings=lambda wildcards: as_json(stages.quality_stage(STUDY, wildcards.concept)),
        version=RESULT_VERSION["quality"],
    shell:
        command("quality", threads="{threads}")


rule split:
    input:
        fields=dataset_fields(".tif"),
        quality=concept_table("quality"),
        near_duplicates=concept_table("near_duplicates"),
        blank=blank_field,
    output:
        split=results("datasets/{dataset}/split.tsv"),
        intensity=results("datasets/{dataset}/intensity.json"),
    log:
        log_file("split/{dataset}"),
    priority: FIRST
    group:
        "images"
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=doubled_at_retries(2000),
        runtime=30,
    params:
        paths=paths_as_options,
        settings=lambda wildcards: as_json(stages.split_stage(STUDY, wildcards.dataset)),
        blank_sha256=blank_sha256,
        version=RESULT_VERSION["split"],
    shell:
        command("split")


rule tiles:
    input:
        fields=dataset_fields(".tif"),
        sidecars=dataset_fields(".json"),
        split=results("datasets/{dataset}/split.tsv"),
        intensity=results("datasets/{dataset}/intensity.json"),
        blank=blank_field,
    output:
        train=results("datasets/{dataset}/train.tif"),
        validation=results("datasets/{dataset}/validation.tif"),
        holdout=results("datasets/{dataset}/holdout.tif"),
        train_table=results("datasets/{dataset}/train.tsv"),
        validation_table=results("datasets/{dataset}/validation.tsv"),
        holdout_table=results("datasets/{dataset}/holdout.tsv"),
        train_regions=results("datasets/{dataset}/train-regions.tif"),
        contact_sheet=report(
            results("datasets/{dataset}/contact_sheet.png"),
            category="Images",
            labels={"concept": "{dataset}", "what": "tiles"},
        ),
    log:
        log_file("tiles/{dataset}"),
    priority: FIRST
    group:
        "images"
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=doubled_at_retries(2000),
        runtime=30,
    params:
        paths=paths_as_options,
        settings=lambda wildcards: as_json(stages.tiles_stage(STUDY, wildcards.dataset)),
        blank_sha256=blank_sha256,
        version=RESULT_VERSION["tiles"],
    shell:
        command("tiles")
