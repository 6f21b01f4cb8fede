"""What the words of prompts move, before and after tuning."""


rule context_images:
    input:
        model=lambda wildcards: sampled_model(wildcards.model, wildcards.prompt),
        base=base_of_adapters,
        camera=camera_of_images,
        decoders=decoder_of_images,
    output:
        images=directory(results("contexts/{model}/{prompt}")),
    log:
        log_file("context_images/{model}/{prompt}"),
    conda:
        "../envs/diffusion.yaml"
    threads: BESIDE_ANOTHER
    resources:
        mem_mb=doubled_at_retries(16000),
        runtime=240,
        gpu=1,
        batch_size=lambda wildcards, attempt: halved_at_retries(
            CONFIGURATION.sampling.sampler.batch_size, attempt
        ),
    params:
        paths=paths_as_options,
        settings=lambda wildcards: as_json(
            context_images_stage(STUDY, wildcards.model, wildcards.prompt)
        ),
        version=RESULT_VERSION["context_images"],
    shell:
        command("context_images", batch_size="{resources.batch_size}")


rule context_values:
    input:
        images=results("contexts/{model}/{prompt}"),
        holdout_tiles=of_context("datasets/{dataset}/holdout.tif"),
        holdout_table=of_context("datasets/{dataset}/holdout.tsv"),
    output:
        values=results("contexts/{model}/{prompt}.csv"),
        pictures=results("contexts/{model}/{prompt}.tif"),
    log:
        log_file("context_values/{model}/{prompt}"),
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=doubled_at_retries(8000),
        runtime=120,
    params:
        paths=paths_as_options,
        settings=lambda wildcards: as_json(
            context_values_stage(STUDY, wildcards.model, wildcards.prompt)
        ),
        version=RESULT_VERSION["context_values"],
    shell:
        command("context_values")


rule compare_contexts:
    input:
        values=context_tables(".csv"),
        pictures=context_tables(".tif"),
        bases=[base_file(base) for base in context_bases(STUDY)],
    output:
        page=report(
            results("contexts/index.html"),
            category="Reports",
            labels={"run": "all", "what": "contexts"},
        ),
        table=results("contexts/contexts.tsv"),
        summary=results("contexts/contexts.json"),
    log:
        log_file("contexts"),
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=doubled_at_retries(2000),
        runtime=30,
    params:
        paths=paths_as_options,
        settings=lambda wildcards: as_json(contexts_stage(STUDY)),
        version=RESULT_VERSION["contexts"],
    shell:
        command("contexts")
