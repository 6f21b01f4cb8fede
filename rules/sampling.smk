"""Synthetic images, in shards."""


rule sample:
    input:
        model=lambda wildcards: sampled_model(wildcards.model, wildcards.prompt),
        base=base_of_adapters,
        camera=camera_of_images,
        decoders=decoder_of_images,
    output:
        shard=directory(results("samples/{model}/{prompt}/shard-{shard}")),
    log:
        log_file("sample/{model}/{prompt}-{shard}"),
    conda:
        "../envs/diffusion.yaml"
    threads: 2
    resources:
        mem_mb=16000,
        runtime=240,
        gpu=1,
        batch_size=lambda wildcards, attempt: halved_at_retries(
            CONFIGURATION.sampling.sampler.batch_size, attempt
        ),
    params:
        settings=lambda wildcards: as_json(
            stages.sample_stage(STUDY, wildcards.model, wildcards.prompt, int(wildcards.shard))
        ),
        model=lambda wildcards, input: (
            input.model if input.model.endswith(".json") else f"{input.model}/brightbooth.json"
        ),
        decoders=tuned_option("--decoders", "decoders"),
        version=RESULT_VERSION["sample"],
    shell:
        'exec python "$BRIGHTBOOTH"/scripts/sample.py --settings {params.settings:q} --model {params.model:q}'
        " --base {input.base:q} --camera {input.camera:q} --shard {output.shard:q}"
        " --batch-size {resources.batch_size} {params.decoders} --log {log:q}"
