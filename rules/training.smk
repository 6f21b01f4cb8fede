"""The latent cache and the fine-tuning."""


def latents_settings(wildcards):
    concept = CONFIGURATION.concepts[dataset_concept(wildcards.dataset)]
    return as_json(stages.LatentsStage(modality=concept.modality))


rule latents:
    input:
        model=results("base_models/{base}.json"),
        train=results("datasets/{dataset}/train.tif"),
        validation=results("datasets/{dataset}/validation.tif"),
        holdout=results("datasets/{dataset}/holdout.tif"),
    output:
        latents=results("latents/{base}/{dataset}.safetensors"),
        roundtrip=results("latents/{base}/{dataset}.roundtrip.tif"),
        figures=results("latents/{base}/{dataset}.json"),
    params:
        settings=latents_settings,
        version=RESULT_VERSION["latents"],
    log:
        log_file("latents/{base}/{dataset}"),
    conda:
        "../envs/diffusion.yaml"
    threads: 2
    resources:
        mem_mb=16000,
        runtime=30,
        gpu=1,
    shell:
        "exec python {SCRIPTS}/latents.py --settings {params.settings:q} --model {input.model:q}"
        " --train {input.train:q} --validation {input.validation:q} --holdout {input.holdout:q}"
        " --latents {output.latents:q} --roundtrip {output.roundtrip:q}"
        " --figures {output.figures:q} --log {log:q}"


def finetune_settings(wildcards):
    run = STUDY.runs[wildcards.run]
    return as_json(
        stages.FinetuneStage(
            run=run.name, base=run.base, concepts=run.concepts, training=run.training
        )
    )


def run_latents(wildcards):
    base = STUDY.runs[wildcards.run].base
    return [
        results(f"latents/{base}/{name}.safetensors") for name in run_datasets(wildcards.run)
    ]


def run_priors(wildcards):
    """Return the shards of the run's priors, each prior once."""
    run = STUDY.runs[wildcards.run]
    used = dict.fromkeys(prior for prior in run.priors if prior)
    return [path for prior in used for path in prior_shards(run.base, prior, ".safetensors")]


rule finetune:
    input:
        model=lambda wildcards: base_file(STUDY.runs[wildcards.run].base),
        identifiers=lambda wildcards: results(
            f"identifiers/{STUDY.runs[wildcards.run].base}.json"
        ),
        latents=run_latents,
        priors=run_priors,
    output:
        trained=directory(results("runs/{run}/model")),
        history=results("runs/{run}/training.csv"),
        previews=report(
            results("runs/{run}/previews.png"),
            category="Training",
            labels={"run": "{run}", "what": "previews"},
        ),
    params:
        settings=finetune_settings,
        latents=input_arguments("latents"),
        priors=input_arguments("priors"),
        version=RESULT_VERSION["finetune"],
    log:
        log_file("finetune/{run}"),
    conda:
        "../envs/diffusion.yaml"
    threads: 2
    resources:
        mem_mb=32000,
        runtime=480,
        gpu=1,
    shell:
        "exec python {SCRIPTS}/finetune.py --settings {params.settings:q} --model {input.model:q}"
        " --identifiers {input.identifiers:q} --latents {params.latents}"
        " --priors {params.priors} --state work/finetune"
        " --trained {output.trained:q} --history {output.history:q}"
        " --previews {output.previews:q} --log {log:q}"
