"""Labels of synthetic and real images, for training detectors."""


rule label:
    input:
        shards=compared_shards("tuned"),
        train_tiles=of_datasets("datasets/{dataset}/train.tif"),
        train_tables=of_datasets("datasets/{dataset}/train.tsv"),
        holdout_tiles=of_datasets("datasets/{dataset}/holdout.tif"),
        holdout_tables=of_datasets("datasets/{dataset}/holdout.tsv"),
    output:
        labels=directory(results("labels/{run}")),
    log:
        log_file("labels/{run}"),
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=doubled_at_retries(8000),
        runtime=360,
    params:
        paths=paths_as_options,
        settings=lambda wildcards: as_json(stages.labels_stage(STUDY, wildcards.run)),
        version=RESULT_VERSION["labels"],
    shell:
        command("labels")
