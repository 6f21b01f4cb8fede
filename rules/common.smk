"""Lookups that the rules share: the checked study, paths, settings as JSON, long lists."""

import io
import os
import shlex
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger


def place_to_folder(place):
    """Return the folder of this workflow's files, whose scripts and library the jobs need.

    Where a module names a repository on a hosting site, Snakemake holds a copy of it without a work
    tree: the stated state of it is laid out beside Snakemake's own files, once.
    """
    if not hasattr(place, "hosted_repo"):
        return Path(str(place)).resolve().parent
    repository = place.hosted_repo.repo
    commit = repository.commit(place.ref)
    folder = Path(".snakemake/brightbooth").resolve() / commit.hexsha
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        held = io.BytesIO()
        repository.archive(held, commit.hexsha)
        held.seek(0)
        with (
            tempfile.TemporaryDirectory(dir=folder.parent) as beside,
            tarfile.open(fileobj=held) as tar,
        ):
            tar.extractall(f"{beside}/files", filter="data")
            try:
                os.rename(f"{beside}/files", folder)
            except OSError:  # another process was faster, or there is a reason
                if not folder.exists():
                    raise
    return folder


WORKFLOW_FOLDER = place_to_folder(workflow.current_basedir)
sys.path.insert(0, str(WORKFLOW_FOLDER))

from pipeline_lib.dreambooth.prompt_checks import check_prompts
from pipeline_lib.decisions import open_decisions
from pipeline_lib.file_checks import refuse_unfit_files
from pipeline_lib.files import value_to_sha256, write_text
from pipeline_lib.hash_cache import HashCache
from pipeline_lib.imaging.headers import HeaderCache
from pipeline_lib.job_logs import failures
from pipeline_lib.models.fetching import expected_folder
from pipeline_lib.models.tokenization import folder_to_readers
from pipeline_lib.planning.gpus import count_gpus
from pipeline_lib.prompts import doubtful_class_prompts, study_to_prompts
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.splitting import ROLES
from pipeline_lib.study import stages
from pipeline_lib.study.image_sets import compared_sets
from pipeline_lib.study.loading import load_study
from pipeline_lib.study.parts import image_folder
from pipeline_lib.study.registries import headline_extractor
from pipeline_lib.study.scratch_runs import refuse_unfit_latents
from pipeline_lib.study.superresolution import (
    LESS,
    WAYS as WAYS_OF_TUNING,
    dataset_to_upscaled,
    dataset_to_words,
    enlarged_sets,
    superresolution_stage,
    upsample_stage,
    upscaled_datasets,
    upscaler_stage,
)
from pipeline_lib.study.sweeps import (
    check_validation,
    run_ways,
    sweep_stage,
    sweep_ways,
    swept_sample_stage,
)
from pipeline_lib.superresolution.folders import refuse_unfit_upscaler
from pipeline_lib.versions import RESULT_VERSION
from pipeline_lib.yaml_files import read_mapping

LONG_LIST = 20
LONG_JSON = 60_000
# Of jobs that use several; Snakemake gives them fewer where --cores says so.
THREADS = 8


def half_of_the_cores():
    """Return the threads of jobs that are done two at a time: one starts while another computes.

    A job on a cluster, and the workflow that sends it, do not know how many cores there are.
    """
    cores = None if workflow.remote_exec else workflow.resource_settings.cores
    return THREADS if cores is None else max(1, min(THREADS, cores // 2))


def limit_jobs_of_networks():
    """Let as many jobs use a GPU at once as there are GPUs, and none wait for one where none is.

    A limit of the user's own is kept. A workflow that sends its jobs to a cluster has none.
    """
    cores = workflow.resource_settings.cores
    if not (workflow.remote_exec or cores is None or "gpu" in workflow.global_resources):
        workflow.register_resource("gpu", count_gpus() or cores)


BESIDE_ANOTHER = half_of_the_cores()
limit_jobs_of_networks()
# Where several jobs could begin, fine-tunings and what they wait for go first; then synthetic images,
# and identifiers, which let nothing but the training begin.
FIRST, NEXT = 2, 1
# Commands name the workflow's folder by a variable: neither their text nor their params change when
# it moves. Snakemake's own prefix of commands would be that of a workflow which uses this one, too.
os.environ.update(BRIGHTBOOTH=str(WORKFLOW_FOLDER))
if workflow.remote_exec:
    # A job on a cluster: it may ask SLURM for another slice of time, and looks for nothing in the
    # network, which only the login node has.
    os.environ.update(BRIGHTBOOTH_MAY_REQUEUE="1", HF_HUB_OFFLINE="1")
# Jobs keep the memory that a network's layer gives back for the layers after it. The C library would
# else return it to the system and be given cleared pages anew, which takes small networks on a
# processor longer than their arithmetic. Of one pool, so that threads use each other's again.
os.environ.update(
    MALLOC_MMAP_THRESHOLD_=str(1 << 30),
    MALLOC_TRIM_THRESHOLD_=str(1 << 32),
    MALLOC_ARENA_MAX="1",
)

STARTED = time.time()

# A plan alone leaves nothing behind: what it reads of images is read again by the run.
PLANS_ONLY = workflow.output_settings.dryrun
HASHES = HashCache(Path("work/hashes.json"), kept=not PLANS_ONLY)
HEADERS = HeaderCache(Path("work/headers.json"), kept=not PLANS_ONLY)
DOWNLOADS = Path("work/base_models")


def base_folder(base):
    """Return where a base model lies, or will lie once it is fetched."""
    return expected_folder(STUDY.bases[base], WORKFLOW_FOLDER, DOWNLOADS, HASHES.file)


def configuration_files():
    """Return the files that a person wrote: the configurations, and their sheets beside this run."""
    sheets = (STUDY.configuration.samples, STUDY.configuration.runs)
    return map(Path, (*workflow.configfiles, *sheets))


def refuse_unreadable_prompts():
    """Refuse prompts that a base model cannot read, if it is at hand; `fetch` asks for the others."""
    for base in dict.fromkeys(run.base for run in STUDY.runs.values()):
        check_prompts(study_to_prompts(STUDY, base), folder_to_readers(base_folder(base)))


def upscaler_folder():
    """Return where the upscaler lies."""
    return WORKFLOW_FOLDER / STUDY.configuration.superresolution.model


def refuse_unfit_superresolution():
    """Refuse an upscaler that does not suit the study, if one is asked for."""
    datasets = upscaled_datasets(STUDY)
    if not datasets:
        return
    configured = STUDY.configuration.datasets
    refuse_unfit_upscaler(
        upscaler_folder(),
        STUDY.configuration.superresolution,
        {name: configured[name].tiles.size for name in datasets},
        {dataset_to_words(STUDY, name) for name in datasets},
    )


try:
    for path in workflow.configfiles:
        read_mapping(Path(path))  # Snakemake takes the last of two equal keys, and says nothing
    STUDY = load_study(
        config, Path(), WORKFLOW_FOLDER, HEADERS.first_files, HEADERS.places, HASHES.file
    )
    refuse_unfit_files(STUDY, HEADERS)
    refuse_unreadable_prompts()
    refuse_unfit_superresolution()
    refuse_unfit_latents(STUDY, base_folder)
    WAYS = sweep_ways(STUDY.configuration)
    if WAYS:
        check_validation(STUDY)
    for doubt in (open_decisions(configuration_files()), *doubtful_class_prompts(STUDY)):
        if doubt:
            logger.warning(doubt)
except UserError as error:
    raise WorkflowError(str(error)) from None

CONFIGURATION = STUDY.configuration
EXTRACTORS = STUDY.used_extractors
HEADLINE = headline_extractor(STUDY.extractors)
CAMERA_NOISE = CONFIGURATION.sampling.camera_noise == "measured"
TUNED_DATASETS = [
    name for name, dataset in CONFIGURATION.datasets.items() if dataset.autoencoder == "tuned"
]


wildcard_constraints:
    concept="|".join(CONFIGURATION.concepts),
    dataset="|".join(CONFIGURATION.datasets),
    base="|".join(STUDY.bases),
    extractor="|".join(EXTRACTORS),
    prior="|".join(CONFIGURATION.priors) or "no-prior",
    run="|".join(STUDY.runs),
    role="|".join(ROLES),
    source="[a-z0-9_-]+",
    model="[a-z0-9_-]+",
    prompt="[a-z0-9_-]+",
    ranking="[a-z0-9_-]+",
    way="[a-z0-9.-]+",
    shard="[0-9]+",


# --- how a rule hands things to its script -------------------------------------------------------


def as_json(stage):
    """Return a stage's settings as the JSON that its script is given.

    Linux takes no argument of 128 KiB, which the regions of some hundred fields reach: longer ones go
    through a file named after its content.
    """
    text = stage.model_dump_json()
    return text if len(shlex.quote(text).encode()) < LONG_JSON else through_file(text, text, "json")


def through_file(value, text, suffix):
    """Return the argument that stands for a file with the text, which is named after the value."""
    listing = Path("work/lists") / f"{value_to_sha256(value)[:16]}.{suffix}"
    if not (listing.exists() or PLANS_ONLY):
        write_text(listing, f"{text}\n")
    return f"@{listing}"


def command(stage, **others):
    """Return the command of a rule whose files have the names of the script's options.

    PYTHONPATH lets the script find pipeline_lib in a conda environment, too; without `exec` a signal
    would end the shell and leave the script. Options that are no files are given by name.
    """
    options = [f"--{name.replace('_', '-')} {told}" for name, told in others.items()]
    return " ".join(
        [
            'export PYTHONPATH="$BRIGHTBOOTH${{PYTHONPATH:+:$PYTHONPATH}}";',
            f'exec python "$BRIGHTBOOTH"/scripts/{stage}.py',
            "--settings {params.settings:q} {params.paths}",
            *options,
            "--log {log:q}",
        ]
    )


def paths_as_options(wildcards, input, output):
    """Return a rule's named inputs and outputs as options of its script; none for what is empty.

    A feature that is not used so leaves no trace in commands, and what it is given no reason to run.
    """
    named = [*input.items(), *output.items()]
    told = [(name, _listed(value)) for name, value in named]
    return " ".join(
        f"--{name.replace('_', '-')} {as_arguments(paths)}" for name, paths in told if paths
    )


def as_arguments(paths):
    """Return paths for a shell command; many go through a file named after its content."""
    if len(paths) <= LONG_LIST:
        return " ".join(shlex.quote(path) for path in paths)
    return through_file(paths, "\n".join(paths), "txt")


def _listed(value):
    """Return a named input, one path or several, as a list of strings."""
    return [value] if isinstance(value, str) else [str(path) for path in value]


def doubled_at_retries(megabytes):
    """Return a resource function: twice the memory after a job failed, which may have lacked it."""
    return lambda wildcards, attempt: megabytes << (attempt - 1)


def halved_at_retries(number, attempt):
    """Return how many pictures a job takes at once, fewer after it failed: memory may be short.

    As a resource it is no reason to run a job again, which it must not be: it changes no picture.
    A profile may set another: `set-resources: {sample: {batch_size: 64}}`.
    """
    return max(1, number >> (attempt - 1))


# --- where things are ----------------------------------------------------------------------------


def results(path):
    """Return a path below this project's results."""
    return f"results/{CONFIGURATION.project}/{path}"


def log_file(path):
    """Return the path of a rule's log, kept by project as the results are."""
    return f"logs/{CONFIGURATION.project}/{path}.log"


def feature_path(name):
    """Return the pattern of a file of features, below the project's results."""
    return f"features/{{extractor}}/{name}.npz"


def run_files(pattern):
    """Return one path for each run."""
    return [results(pattern.format(run=run)) for run in STUDY.runs]


# --- images --------------------------------------------------------------------------------------


def image_sha256(path):
    """Return the SHA-256 of an image, of all its files where it is spread over several."""
    hashes = [HASHES.file(one) for one in HEADERS.files(Path(path))]
    return hashes[0] if len(hashes) == 1 else value_to_sha256(hashes)


def dataset_concept(dataset):
    """Return the name of a dataset's concept."""
    return CONFIGURATION.datasets[dataset].concept


def field_files(concept, suffix):
    """Return the files of a concept's ingested fields, in the order of the sheet."""
    return [results(f"fields/{concept}/{source}{suffix}") for source in STUDY.sources[concept]]


def dataset_fields(suffix):
    """Return an input function: the ingested fields of a dataset's concept."""
    return lambda wildcards: field_files(dataset_concept(wildcards.dataset), suffix)


# --- base models, priors and runs ----------------------------------------------------------------


def entry_content(entry):
    """Return what tells one model of a registry from another: its content or pinned revision."""
    return entry.revision if entry.path is None else HASHES.folder(WORKFLOW_FOLDER / entry.path)


def base_file(base):
    """Return the description of a fetched base model."""
    return results(f"base_models/{base}.json")


def of_base(pattern):
    """Return an input function: a file of the base model of the run."""
    return lambda wildcards: results(pattern.format(base=STUDY.runs[wildcards.run].base))


def of_datasets(pattern):
    """Return an input function: one file for each dataset of the run, concept by concept."""
    return lambda wildcards: [
        results(pattern.format(dataset=one.dataset, base=STUDY.runs[wildcards.run].base))
        for one in STUDY.runs[wildcards.run].concepts
    ]


def is_tuned(dataset):
    """Say whether a dataset's images are drawn with a decoder tuned to it."""
    return dataset in TUNED_DATASETS


def tuned_decoder(base, dataset):
    """Return the folder of a tuned decoder."""
    return results(f"decoders/{base}/{dataset}/model")


def of_tuned_datasets(pattern):
    """Return an input function: one file for each dataset of the run whose decoder is tuned."""
    return lambda wildcards: [
        results(pattern.format(dataset=one.dataset, base=STUDY.runs[wildcards.run].base))
        for one in STUDY.runs[wildcards.run].concepts
        if is_tuned(one.dataset)
    ]


def round_trip(base, dataset, name):
    """Return tiles that went through the autoencoder, by the decoder that the dataset is drawn with.

    The names are ``roundtrip``, of the held-out tiles, and ``train-roundtrip``.
    """
    if is_tuned(dataset):
        return results(f"decoders/{base}/{dataset}/{name}.tif")
    return results(f"latents/{base}/{dataset}.{name}.tif")


def compared_round_trip(base, dataset):
    """Return the held-out tiles' round trip as synthetic images are: with camera noise or not."""
    if CAMERA_NOISE:
        return results(f"camera/{base}/{dataset}.roundtrip.tif")
    return round_trip(base, dataset, "roundtrip")


def compared_round_trips(wildcards):
    """Return the round trip to compare of each dataset of the run, concept by concept."""
    run = STUDY.runs[wildcards.run]
    return [compared_round_trip(run.base, one.dataset) for one in run.concepts]


def of_surveyed(pattern):
    """Return an input function: a file of the dataset that a run trains of one concept."""
    return lambda wildcards: results(
        pattern.format(dataset=STUDY.runs[wildcards.run].trained(wildcards.concept).dataset)
    )


def all_surveys():
    """Return the surveys of all concepts of all runs."""
    return [
        results(f"survey/{run}/{one.concept}/survey.html")
        for run, settings in STUDY.runs.items()
        for one in settings.concepts
    ]


def prior_shards(base, prior, suffix):
    """Return the shards of one prior."""
    shards = stages.prior_shard_count(CONFIGURATION.priors[prior])
    return [results(f"prior/{base}/{prior}/shard-{i:04d}{suffix}") for i in range(shards)]


def run_priors(run, suffix):
    """Return the files of a run's priors, each prior once; none without the prior's loss."""
    used = dict.fromkeys(prior for prior in STUDY.runs[run].priors if prior)
    return sum((prior_shards(STUDY.runs[run].base, prior, suffix) for prior in used), [])


def all_prior_shards():
    """Return the pictures of every prior that a run uses."""
    used = {(run.base, prior) for run in STUDY.runs.values() for prior in run.priors if prior}
    return [path for base, prior in sorted(used) for path in prior_shards(base, prior, ".tif")]


def compared_nouns(wildcards):
    """Return the tables of compared nouns; input of a target, so that only asking for it refuses."""
    try:
        pairs = stages.compared_datasets(STUDY)
    except UserError as error:
        raise WorkflowError(str(error)) from None
    return [results(f"nouns/{base}/{dataset}.tsv") for base, dataset in pairs]


# --- synthetic images ----------------------------------------------------------------------------


def sampled_model(model, prompt):
    """Return the folder of a trained model, or the description of an untuned base model."""
    one = STUDY.image_sets[model, prompt]
    return base_file(one.base) if one.run is None else results(f"runs/{one.run}/model")


def base_of_adapters(wildcards):
    """Return the description of the base model that a run by LoRA adds to; others bring all."""
    one = STUDY.image_sets[wildcards.model, wildcards.prompt]
    adapted = one.run is not None and STUDY.runs[one.run].training.method == "lora"
    return [base_file(one.base)] if adapted else []


def camera_of_images(wildcards):
    """Return the camera noise that an image set is given, none if it is given none."""
    one = STUDY.image_sets[wildcards.model, wildcards.prompt]
    given = stages.camera_noise_of(STUDY, one) == "measured"
    return [results(f"camera/{one.base}/{one.dataset}.json")] if given else []


def decoder_of_images(wildcards):
    """Return the tuned decoder that an image set is drawn with, none if it is the model's own."""
    one = STUDY.image_sets[wildcards.model, wildcards.prompt]
    run = stages.run_of(STUDY, one)
    in_pixels = run is not None and run.in_pixels
    return [tuned_decoder(one.base, one.dataset)] if is_tuned(one.dataset) and not in_pixels else []


def sample_shards(model, prompt, kind="samples"):
    """Return the shards of one model and prompt, or the same ``upsampled``."""
    count = STUDY.image_sets[model, prompt].count
    shards = stages.shard_count(count, CONFIGURATION.sampling.images_per_shard)
    return [results(f"{kind}/{model}/{prompt}/shard-{i:04d}.zip") for i in range(shards)]


def all_sample_shards():
    """Return the shards of all image sets."""
    return [path for model, prompt in STUDY.image_sets for path in sample_shards(model, prompt)]


def compared_shards(kind):
    """Return an input function: the shards that the run is judged by."""
    return lambda wildcards: [
        path
        for model, folder in compared_sets(STUDY, wildcards.run, kind)
        for path in sample_shards(model, folder)
    ]


def print_failures():
    """Print which jobs failed, with the last lines of their logs."""
    if workflow.remote_exec:
        return  # in a job on a cluster, whose terminal nobody sees
    named = getattr(workflow.executor_settings, "logdir", None)
    cluster_logs = None if named is None else Path(workflow.workdir_init) / named
    told = failures(Path("logs") / CONFIGURATION.project, cluster_logs, STARTED)
    print("\n".join(told), file=sys.stderr)


def print_verdicts():
    """Print what the reports say and where they are."""
    for run in STUDY.runs:
        verdict = Path(results(f"report/{run}/verdict.txt"))
        if verdict.exists():
            page = verdict.with_name("index.html").resolve()
            print(f"\n{verdict.read_text().strip()}\nReport: {page}")
