"""From raw files to tiles."""


def ingest_settings(wildcards):
    source = STUDY.sources[wildcards.concept][wildcards.source]
    return as_json(stages.IngestStage(source=source.name, reading=source.reading))


def raw_file(wildcards):
    return str(STUDY.sources[wildcards.concept][wildcards.source].path)


rule ingest:
    input:
        raw=ancient(raw_file),
    output:
        field=results("fields/{concept}/{source}.tif"),
        sidecar=results("fields/{concept}/{source}.json"),
    params:
        settings=ingest_settings,
        sha256=lambda wildcards: HASHES.file(raw_file(wildcards)),
        version=RESULT_VERSION["ingest"],
    log:
        log_file("ingest/{concept}/{source}"),
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    shell:
        "exec python {SCRIPTS}/ingest.py --settings {params.settings:q} --raw {input.raw:q}"
        " --field {output.field:q} --sidecar {output.sidecar:q} --log {log:q}"


def quality_settings(wildcards):
    accepted = [one.name for one in STUDY.sources[wildcards.concept].values() if one.accepted]
    return as_json(
        stages.QualityStage(thresholds=CONFIGURATION.quality, accepted=tuple(accepted))
    )


rule quality:
    input:
        fields=lambda wildcards: field_files(wildcards.concept, ".tif"),
        sidecars=lambda wildcards: field_files(wildcards.concept, ".json"),
    output:
        table=results("fields/{concept}/quality.tsv"),
        picture=report(
            results("fields/{concept}/quality.png"),
            category="Images",
            labels={"concept": "{concept}", "what": "quality"},
        ),
    params:
        settings=quality_settings,
        fields=input_arguments("fields"),
        sidecars=input_arguments("sidecars"),
        version=RESULT_VERSION["quality"],
    log:
        log_file("quality/{concept}"),
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    shell:
        "exec python {SCRIPTS}/quality.py --settings {params.settings:q}"
        " --fields {params.fields} --sidecars {params.sidecars}"
        " --table {output.table:q} --picture {output.picture:q} --log {log:q}"


def split_settings(wildcards):
    dataset = CONFIGURATION.datasets[wildcards.dataset]
    return as_json(
        stages.SplitStage(
            regions=STUDY.regions[dataset.concept],
            split=dataset.split,
            intensity=dataset.intensity,
            training_planes=dataset.training_planes,
        )
    )


rule split:
    input:
        fields=lambda wildcards: field_files(dataset_concept(wildcards.dataset), ".tif"),
        quality=lambda wildcards: results(
            f"fields/{dataset_concept(wildcards.dataset)}/quality.tsv"
        ),
    output:
        split=results("datasets/{dataset}/split.tsv"),
        intensity=results("datasets/{dataset}/intensity.json"),
    params:
        settings=split_settings,
        fields=input_arguments("fields"),
        version=RESULT_VERSION["split"],
    log:
        log_file("split/{dataset}"),
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    shell:
        "exec python {SCRIPTS}/split.py --settings {params.settings:q}"
        " --fields {params.fields} --quality {input.quality:q}"
        " --split {output.split:q} --intensity {output.intensity:q} --log {log:q}"


def tiles_settings(wildcards):
    return as_json(stages.TilesStage(tiles=CONFIGURATION.datasets[wildcards.dataset].tiles))


rule tiles:
    input:
        fields=lambda wildcards: field_files(dataset_concept(wildcards.dataset), ".tif"),
        sidecars=lambda wildcards: field_files(dataset_concept(wildcards.dataset), ".json"),
        split=results("datasets/{dataset}/split.tsv"),
        intensity=results("datasets/{dataset}/intensity.json"),
    output:
        train=results("datasets/{dataset}/train.tif"),
        validation=results("datasets/{dataset}/validation.tif"),
        holdout=results("datasets/{dataset}/holdout.tif"),
        train_table=results("datasets/{dataset}/train.tsv"),
        validation_table=results("datasets/{dataset}/validation.tsv"),
        holdout_table=results("datasets/{dataset}/holdout.tsv"),
        contact_sheet=report(
            results("datasets/{dataset}/contact_sheet.png"),
            category="Images",
            labels={"concept": "{dataset}", "what": "tiles"},
        ),
    params:
        settings=tiles_settings,
        fields=input_arguments("fields"),
        sidecars=input_arguments("sidecars"),
        version=RESULT_VERSION["tiles"],
    log:
        log_file("tiles/{dataset}"),
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    shell:
        "exec python {SCRIPTS}/tiles.py --settings {params.settings:q}"
        " --fields {params.fields} --sidecars {params.sidecars}"
        " --split {input.split:q} --intensity {input.intensity:q}"
        " --train {output.train:q} --validation {output.validation:q} --holdout {output.holdout:q}"
        " --train-table {output.train_table:q} --validation-table {output.validation_table:q}"
        " --holdout-table {output.holdout_table:q} --contact-sheet {output.contact_sheet:q}"
        " --log {log:q}"
