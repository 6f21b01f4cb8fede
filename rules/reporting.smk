"""The release, the pages of the runs and of the study."""


rule release:
    input:
        shards=compared_shards(tuned=True),
        copies=results("metrics/{run}.copies.tsv"),
        intensities=of_datasets("datasets/{dataset}/intensity.json"),
    output:
        release=directory(results("release/{run}")),
    log:
        log_file("release/{run}"),
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        settings=lambda wildcards: as_json(stages.release_stage(STUDY, wildcards.run)),
        shards=input_arguments("shards"),
        version=RESULT_VERSION["release"],
    shell:
        'exec python "$BRIGHTBOOTH"/scripts/release.py --settings {params.settings:q}'
        " --shards {params.shards} --copies {input.copies:q}"
        " --intensities {input.intensities:q} --release {output.release:q} --log {log:q}"
