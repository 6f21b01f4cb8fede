"""The latent cache, the camera's noise that it loses, and the fine-tuning."""


rule latents:
    input:
        model=results("base_models/{base}.json"),
        train=results("datasets/{dataset}/train.tif"),
        validation=results("datasets/{dataset}/validation.tif"),
        holdout=results("datasets/{dataset}/holdout.tif"),
    output:
        latents=results("latents/{base}/{dataset}.safetensors"),
        roundtrip=results("latents/{base}/{dataset}.roundtrip.tif"),
        train_roundtrip=results("latents/{base}/{dataset}.train-roundtrip.tif"),
        figures=results("latents/{base}/{dataset}.json"),
    log:
        log_file("latents/{base}/{dataset}"),
    conda:
        "../envs/diffusion.yaml"
    threads: 2
    resources:
        mem_mb=16000,
        runtime=30,
        gpu=1,
    params:
        settings=lambda wildcards: as_json(stages.latents_stage(STUDY, wildcards.dataset)),
        version=RESULT_VERSION["latents"],
    shell:
        'exec python "$BRIGHTBOOTH"/scripts/latents.py --settings {params.settings:q} --model {input.model:q}'
        " --train {input.train:q} --validation {input.validation:q} --holdout {input.holdout:q}"
        " --latents {output.latents:q} --roundtrip {output.roundtrip:q}"
        " --train-roundtrip {output.train_roundtrip:q}"
        " --figures {output.figures:q} --log {log:q}"


rule camera:
    input:
        train=results("datasets/{dataset}/train.tif"),
        train_roundtrip=results("latents/{base}/{dataset}.train-roundtrip.tif"),
        roundtrip=results("latents/{base}/{dataset}.roundtrip.tif"),
    output:
        camera=results("camera/{base}/{dataset}.json"),
        noisy=results("camera/{base}/{dataset}.roundtrip.tif"),
        picture=report(
            results("camera/{base}/{dataset}.png"),
            category="Images",
            labels={"concept": "{dataset}", "what": "camera noise ({base})"},
        ),
    log:
        log_file("camera/{base}/{dataset}"),
    conda:
        "../envs/imaging.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        settings=lambda wildcards: as_json(stages.camera_stage(wildcards.dataset)),
        version=RESULT_VERSION["camera"],
    shell:
        'exec python "$BRIGHTBOOTH"/scripts/camera.py --settings {params.settings:q}'
        " --train {input.train:q} --train-roundtrip {input.train_roundtrip:q}"
        " --roundtrip {input.roundtrip:q} --camera {output.camera:q} --noisy {output.noisy:q}"
        " --picture {output.picture:q} --log {log:q}"


rule finetune:
    input:
        model=of_base("base_models/{base}.json"),
        identifiers=of_base("identifiers/{base}.json"),
        latents=of_datasets("latents/{base}/{dataset}.safetensors"),
        priors=lambda wildcards: run_priors(wildcards.run, ".safetensors"),
    output:
        trained=directory(results("runs/{run}/model")),
        history=results("runs/{run}/training.csv"),
        previews=report(
            results("runs/{run}/previews.png"),
            category="Training",
            labels={"run": "{run}", "what": "previews"},
        ),
    log:
        log_file("finetune/{run}"),
    conda:
        "../envs/diffusion.yaml"
    threads: 2
    resources:
        mem_mb=32000,
        runtime=480,
        gpu=1,
    params:
        settings=lambda wildcards: as_json(stages.finetune_stage(STUDY, wildcards.run)),
        latents=input_arguments("latents"),
        priors=input_arguments("priors"),
        version=RESULT_VERSION["finetune"],
    shell:
        'exec python "$BRIGHTBOOTH"/scripts/finetune.py --settings {params.settings:q} --model {input.model:q}'
        " --identifiers {input.identifiers:q} --latents {params.latents}"
        " --priors {params.priors} --state work/finetune"
        " --trained {output.trained:q} --history {output.history:q}"
        " --previews {output.previews:q} --log {log:q}"
