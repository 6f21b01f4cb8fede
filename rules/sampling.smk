"""Synthetic images, in shards."""


rule sample:
    input:
        model=lambda wildcards: sampled_model(wildcards.model, wildcards.prompt),
        base=base_of_adapters,
        camera=camera_of_images,
        decoders=decoder_of_images,
    output:
        shard=results("samples/{model}/{prompt}/shard-{shard}.zip"),
        time=results("samples/{model}/{prompt}/shard-{shard}.json"),
    log:
        log_file("sample/{model}/{prompt}-{shard}"),
    priority: NEXT
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
            stages.sample_stage(STUDY, wildcards.model, wildcards.prompt, int(wildcards.shard))
        ),
        version=RESULT_VERSION["sample"],
    shell:
        command("sample", batch_size="{resources.batch_size}")
