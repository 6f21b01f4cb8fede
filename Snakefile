from snakemake.utils import min_version

min_version("9.0")


if "concepts" not in config:  # `--config` alone adds to the file, and does not replace it

    configfile: "config/config.yaml"


include: "rules/common.smk"
include: "rules/lookups/images.smk"
include: "rules/lookups/base_models.smk"
include: "rules/lookups/training.smk"
include: "rules/lookups/evaluation.smk"
include: "rules/lookups/reporting.smk"
include: "rules/lookups/downstream.smk"
include: "rules/lookups/superresolution.smk"
include: "rules/lookups/sweep.smk"
include: "rules/lookups/contexts.smk"
include: "rules/lookups/planning.smk"
include: "rules/images.smk"
include: "rules/base_models.smk"
include: "rules/training.smk"
include: "rules/sampling.smk"
include: "rules/evaluation.smk"
include: "rules/reporting.smk"
include: "rules/labels.smk"
include: "rules/downstream.smk"
include: "rules/superresolution.smk"
include: "rules/sweep.smk"
include: "rules/contexts.smk"
include: "rules/planning.smk"


localrules:
    all,
    tiles_only,
    priors_only,
    nouns,
    samples_only,
    sweeps,
    metrics_only,
    release_only,
    surveys,
    labels,
    downstream,
    superresolution,
    contexts,


rule all:
    default_target: True
    input:
        run_files("report/{run}/index.html"),
        run_files("release/{run}"),
        all_sample_shards(),
        enlarged_files(),
        results("report/study/index.html"),


rule tiles_only:
    input:
        [
            results(f"datasets/{name}/contact_sheet.png")
            for name in dict.fromkeys([*STUDY.used_datasets, *upscaled_datasets(STUDY)])
        ],


rule priors_only:
    input:
        all_prior_shards(),


rule nouns:
    input:
        compared_nouns,


rule samples_only:
    input:
        all_sample_shards(),


rule sweeps:
    input:
        all_sweeps,


rule metrics_only:
    input:
        run_files("metrics/{run}.csv"),


rule surveys:
    input:
        all_surveys(),


rule labels:
    input:
        run_files("labels/{run}"),


rule downstream:
    input:
        all_downstream,


rule superresolution:
    input:
        all_enlarged,


rule contexts:
    input:
        all_contexts,


rule release_only:
    input:
        run_files("release/{run}"),


onsuccess:
    print_verdicts()


onerror:
    print_failures()
