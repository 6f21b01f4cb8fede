"""The release, the pages of the runs and of the study."""


def release_settings(wildcards):
    return as_json(stages.ReleaseStage(run=wildcards.run, release=CONFIGURATION.release))


rule release:
    input:
        shards=of_sets(tuned=True),
        copies=results("metrics/{run}.copies.tsv"),
        intensities=of_datasets("datasets/{dataset}/intensity.json"),
    output:
        release=directory(results("release/{run}")),
    params:
        settings=release_settings,
        shards=input_arguments("shards"),
        version=RESULT_VERSION["release"],
    log:
        log_file("release/{run}"),
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    shell:
        "exec python {SCRIPTS}/release.py --settings {params.settings:q}"
        " --shards {params.shards} --copies {input.copies:q}"
        " --intensities {input.intensities:q} --release {output.release:q} --log {log:q}"
