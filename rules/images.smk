"""From raw files to tiles."""


rule ingest:
    input:
        raw=ancient(lambda wildcards: raw_file(wildcards.concept, wildcards.source)),
    output:
        field=results("fields/{concept}/{source}.tif"),
        sidecar=results("fields/{concept}/{source}.json"),
    log:
        log_file("ingest/{concept}/{source}"),
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=doubled_at_retries(2000),
        runtime=10,
    params:
        settings=lambda wildcards: as_json(
            stages.ingest_stage(STUDY, wildcards.concept, wildcards.source)
        ),
        sha256=lambda wildcards: image_sha256(raw_file(wildcards.concept, wildcards.source)),
        version=RESULT_VERSION["ingest"],
    shell:
        'exec python "$BRIGHTBOOTH"/scripts/ingest.py --settings {params.settings:q} --raw {input.raw:q}'
        " --field {output.field:q} --sidecar {output.sidecar:q} --log {log:q}"


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
    conda:
        "../envs/imaging.yaml"
    threads: 2
    resources:
        mem_mb=doubled_at_retries(2000),
        runtime=30,
    params:
        settings=lambda wildcards: as_json(stages.quality_stage(STUDY, wildcards.concept)),
        fields=input_arguments("fields"),
        sidecars=input_arguments("sidecars"),
        version=RESULT_VERSION["quality"],
    shell:
        'exec python "$BRIGHTBOOTH"/scripts/quality.py --settings {params.settings:q}'
        " --fields {params.fields} --sidecars {params.sidecars}"
        " --table {output.table:q} --near-duplicates {output.near_duplicates:q}"
        " --picture {output.picture:q} --threads {threads} --log {log:q}"


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
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=doubled_at_retries(2000),
        runtime=30,
    params:
        settings=lambda wildcards: as_json(stages.split_stage(STUDY, wildcards.dataset)),
        blank=blank_option,
        blank_sha256=blank_sha256,
        fields=input_arguments("fields"),
        version=RESULT_VERSION["split"],
    shell:
        'exec python "$BRIGHTBOOTH"/scripts/split.py --settings {params.settings:q}'
        " --fields {params.fields} --quality {input.quality:q}"
        " --near-duplicates {input.near_duplicates:q} {params.blank} --split {output.split:q}"
        " --intensity {output.intensity:q} --log {log:q}"


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
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=doubled_at_retries(2000),
        runtime=30,
    params:
        settings=lambda wildcards: as_json(stages.tiles_stage(STUDY, wildcards.dataset)),
        blank=blank_option,
        blank_sha256=blank_sha256,
        fields=input_arguments("fields"),
        sidecars=input_arguments("sidecars"),
        version=RESULT_VERSION["tiles"],
    shell:
        'exec python "$BRIGHTBOOTH"/scripts/tiles.py --settings {params.settings:q}'
        " --fields {params.fields} --sidecars {params.sidecars}"
        " --split {input.split:q} --intensity {input.intensity:q} {params.blank}"
        " --train {output.train:q} --validation {output.validation:q} --holdout {output.holdout:q}"
        " --train-table {output.train_table:q} --validation-table {output.validation_table:q}"
        " --holdout-table {output.holdout_table:q} --train-regions {output.train_regions:q}"
        " --contact-sheet {output.contact_sheet:q}"
        " --log {log:q}"
