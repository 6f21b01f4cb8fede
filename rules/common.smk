"""Lookups that the rules share: the checked study, paths, settings as JSON, long lists."""

import os
import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

WORKFLOW_FOLDER = Path(str(workflow.basedir))
sys.path.insert(0, str(WORKFLOW_FOLDER))

from pipeline_lib import settings as stages
from pipeline_lib.files import value_to_sha256, write_text
from pipeline_lib.hash_cache import HashCache
from pipeline_lib.settings import ROLES, UserError
from pipeline_lib.study import load_study
from pipeline_lib.versions import RESULT_VERSION

SCRIPTS = shlex.quote(str(WORKFLOW_FOLDER / "scripts"))
ROOT = shlex.quote(str(WORKFLOW_FOLDER))
LONG_LIST = 20

# The scripts import pipeline_lib wherever they run: in the environment of the two README commands,
# in a conda environment, or inside a job of a cluster.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(WORKFLOW_FOLDER), *filter(None, [os.environ.get("PYTHONPATH")])]
)

try:
    STUDY = load_study(config, Path.cwd(), WORKFLOW_FOLDER)
except UserError as error:
    raise WorkflowError(str(error)) from None

CONFIGURATION = STUDY.configuration
HASHES = HashCache(Path("work/hashes.json"))


wildcard_constraints:
    concept="|".join(CONFIGURATION.concepts),
    dataset="|".join(CONFIGURATION.datasets),
    base="|".join(STUDY.bases),
    prior="|".join(CONFIGURATION.priors) or "no-prior",
    run="|".join(STUDY.runs),
    role="|".join(ROLES),
    source="[a-z0-9_-]+",
    model="[a-z0-9_-]+",
    prompt="[a-z0-9_-]+",
    shard=r"\d{4,}",


def results(path):
    """Return a path below this project's results."""
    return f"results/{CONFIGURATION.project}/{path}"


def log_file(path):
    """Return the path of a rule's log, kept by project as the results are."""
    return f"logs/{CONFIGURATION.project}/{path}.log"


def run_files(pattern):
    """Return one path for each run."""
    return [results(pattern.format(run=run)) for run in STUDY.runs]


def as_json(stage):
    """Return a stage's settings as the JSON that its script is given."""
    return stage.model_dump_json()


def as_arguments(paths):
    """Return paths for a shell command; many go through a file named after its content."""
    paths = [str(path) for path in paths]
    if len(paths) <= LONG_LIST:
        return " ".join(shlex.quote(path) for path in paths)
    listing = Path("work/lists") / f"{value_to_sha256(paths)[:16]}.txt"
    if not listing.exists():
        write_text(listing, "\n".join(paths) + "\n")
    return f"@{listing}"


def input_arguments(name):
    """Return a params function that passes the named input's paths as arguments."""
    return lambda wildcards, input: as_arguments(_listed(input, name))


def _listed(input, name):
    """Return the paths of a named input as a list."""
    paths = getattr(input, name)
    return [paths] if isinstance(paths, str) else list(paths)


def dataset_file(dataset, name):
    """Return a file of a dataset."""
    return results(f"datasets/{dataset}/{name}")


def feature_file(name):
    """Return a file of features by the configured extractor."""
    return results(f"features/{CONFIGURATION.evaluation.extractor}/{name}.npz")


def base_file(base):
    """Return the description of a fetched base model."""
    return results(f"base_models/{base}.json")


def used_datasets():
    """Return the datasets that the runs train on, in the order of the configuration."""
    used = {trained.dataset for run in STUDY.runs.values() for trained in run.concepts}
    return [name for name in CONFIGURATION.datasets if name in used]


def dataset_concept(dataset):
    """Return the name of a dataset's concept."""
    return CONFIGURATION.datasets[dataset].concept


def dataset_sources(dataset):
    """Return the sources of a dataset's concept, in the order of the sheet."""
    return list(STUDY.sources[dataset_concept(dataset)])


def field_files(concept, suffix):
    """Return the files of a concept's ingested fields."""
    return [results(f"fields/{concept}/{source}{suffix}") for source in STUDY.sources[concept]]


def shard_starts(count, images_per_shard):
    """Return the index of each shard's first image."""
    return range(0, count, images_per_shard)


def prior_shards(base, prior, suffix):
    """Return the shards of one prior."""
    settings = CONFIGURATION.priors[prior]
    count = len(shard_starts(settings.count, settings.images_per_shard))
    return [results(f"prior/{base}/{prior}/shard-{i:04d}{suffix}") for i in range(count)]


def all_prior_shards():
    """Return the pictures of every prior that a run uses."""
    used = {(run.base, prior) for run in STUDY.runs.values() for prior in run.priors if prior}
    return [path for base, prior in sorted(used) for path in prior_shards(base, prior, ".tif")]


def sample_shards(model, prompt):
    """Return the shards of one model and prompt."""
    count = STUDY.image_sets[model, prompt].count
    shards = len(shard_starts(count, CONFIGURATION.sampling.images_per_shard))
    return [results(f"samples/{model}/{prompt}/shard-{i:04d}") for i in range(shards)]


def all_sample_shards():
    """Return the shards of all image sets."""
    return [path for model, prompt in STUDY.image_sets for path in sample_shards(model, prompt)]


def compared_sets(run, tuned):
    """Return model and folder of the image sets that a run is judged by, concept by concept."""
    wanted = CONFIGURATION.evaluation.prompt
    model = run if tuned else f"base-{STUDY.runs[run].base}"
    size = STUDY.runs[run].size
    folders = [f"{one.concept}-{size}px-{wanted}" for one in STUDY.runs[run].concepts]
    return [(model, folder) for folder in folders]


def run_datasets(run):
    """Return the datasets of a run, concept by concept."""
    return [trained.dataset for trained in STUDY.runs[run].concepts]


def evaluated_concepts(run):
    """Return a run's concepts as the evaluation wants them."""
    return tuple(
        stages.EvaluatedConcept(
            concept=one.concept, dataset=one.dataset, modality=one.modality
        )
        for one in STUDY.runs[run].concepts
    )


def print_verdicts():
    """Print what the reports say and where they are."""
    for run in STUDY.runs:
        verdict = Path(results(f"report/{run}/verdict.txt"))
        if verdict.exists():
            page = verdict.with_name("index.html").resolve()
            print(f"\n{verdict.read_text().strip()}\nReport: {page}")
