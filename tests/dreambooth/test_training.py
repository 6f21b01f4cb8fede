from __future__ import annotations

import csv
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from pipeline_lib.dreambooth.objective import DreamBooth, settings_to_threads
from pipeline_lib.files import folder_to_sha256, read_json
from pipeline_lib.models.conditioning import PromptEmbedding
from pipeline_lib.models.loading import load_model
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.training import TrainingSettings
from pipeline_lib.training.checkpoints import newest_checkpoint
from pipeline_lib.training.loop import training_steps
from pipeline_lib.training.state import CHECKPOINTS, is_finished
from pipeline_lib.training.stopping import StoppedError, StopRequest
from pipeline_lib.training.trainer import Trainer
from tests.dreambooth import workbench
from tests.dreambooth.workbench import CONCEPT, Workbench, load_script

finetune_script = load_script("finetune")


def make_trainer(bench: Workbench, folder: Path, **training: Any) -> Trainer:
    return workbench.make_trainer(bench.stage(**training), bench.paths(folder), folder)


def history_without_seconds(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        del row["seconds"]
    return rows


def run_to(trainer: Trainer, folder: Path, last: int | None = None) -> None:
    stop = StopRequest()
    for progress in training_steps(trainer, folder, stop):
        stop.signalled = progress.step + 1 == last  # in the middle of the next step


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_resumed_is_bit_for_bit_unbroken(bench: Workbench, tmp_path: Path, precision: str) -> None:
    settings = {"steps": 6, "precision": precision, "preview_every": 3, "checkpoint_every": 4}
    run_to(make_trainer(bench, tmp_path / "whole", **settings), tmp_path / "whole")
    with pytest.raises(StoppedError, match="after step 3 of 6"):
        run_to(make_trainer(bench, tmp_path / "broken", **settings), tmp_path / "broken", last=3)
    run_to(make_trainer(bench, tmp_path / "broken", **settings), tmp_path / "broken")
    whole, broken = (
        newest_checkpoint(tmp_path / name / CHECKPOINTS) for name in ("whole", "broken")
    )
    assert whole.step == broken.step == 6
    assert {key.split("/")[0] for key in whole.tensors} == {
        "weights",
        "averages",
        "exp_avg",
        "exp_avg_sq",
        "step",
    }
    assert whole.tensors.keys() == broken.tensors.keys()
    assert all(torch.equal(whole.tensors[key], broken.tensors[key]) for key in whole.tensors)
    rows = [
        history_without_seconds(tmp_path / name / "history.csv") for name in ("whole", "broken")
    ]
    assert rows[0] == rows[1]
    assert [row["step"] for row in rows[0]] == ["1", "2", "3", "4", "5", "6"]
    pictures = [folder_to_sha256(tmp_path / name / "previews") for name in ("whole", "broken")]
    assert pictures[0] == pictures[1]
    assert len(pictures[0]) == 2


def test_equal_steps_are_equal_at_two_threads(embedded_gradients: Callable[[], bytes]) -> None:
    """Ten samples share two prompts; threads must not race in adding up their gradients."""
    assert len({embedded_gradients() for _ in range(200)}) == 1


@pytest.fixture
def embedded_gradients() -> Iterator[Callable[[], bytes]]:
    """Return a function that gives the prompts' gradient at the embedded model's size."""
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(2, 77, 128, generator=generator, requires_grad=True)
    upstream = torch.randn(10, 77, 128, generator=generator)
    prompts = torch.tensor([0] * 6 + [1] * 4)

    def gradients() -> bytes:
        hidden.grad = None
        (PromptEmbedding(hidden).chosen(prompts).hidden * upstream).sum().backward()
        return hidden.grad.numpy().tobytes()

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield gradients
    torch.set_num_threads(before)


def fail(*_: object) -> None:
    raise RuntimeError("no graphics today")


@pytest.mark.parametrize("what", ["draw_previews", "judge"])
def test_what_the_training_can_do_without_only_warns(
    bench: Workbench, tmp_path: Path, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    trainer = make_trainer(bench, tmp_path, steps=4, checkpoint_every=2, preview_every=2)
    setattr(trainer, what, fail)
    run_to(trainer, tmp_path)
    assert newest_checkpoint(tmp_path / CHECKPOINTS).step == 4
    assert "step 2: RuntimeError: no graphics today" in caplog.text
    rows = history_without_seconds(tmp_path / "history.csv")
    assert [row["step"] for row in rows] == ["1", "2", "3", "4"]
    assert bool(rows[1]["train_loss"]) == (what == "draw_previews")


def test_a_training_whose_previews_all_failed_is_given_out(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DreamBooth, "draw_previews", fail)
    paths = bench.paths(tmp_path)
    finetune_script.finetune(bench.stage(steps=2), paths)
    assert (paths.trained / "brightbooth.json").exists()
    assert paths.previews.stat().st_size > 0


def test_a_kill_while_previews_are_drawn_loses_no_step(bench: Workbench, tmp_path: Path) -> None:
    settings = {"steps": 4, "checkpoint_every": 2, "preview_every": 2}
    run_to(make_trainer(bench, tmp_path / "whole", **settings), tmp_path / "whole")
    cut = make_trainer(bench, tmp_path, **settings)
    cut.draw_previews = raise_interrupt
    with pytest.raises(KeyboardInterrupt):
        run_to(cut, tmp_path / "cut")
    assert newest_checkpoint(tmp_path / "cut" / CHECKPOINTS).step == 2
    again = make_trainer(bench, tmp_path, **settings)
    made, make_step = [], again.make_step
    again.make_step = lambda step: made.append(step) or make_step(step)
    run_to(again, tmp_path / "cut")
    assert made == [2, 3]
    rows = [history_without_seconds(tmp_path / name / "history.csv") for name in ("whole", "cut")]
    assert rows[0] == rows[1]
    pictures = [folder_to_sha256(tmp_path / name / "previews") for name in ("whole", "cut")]
    assert pictures[0] == pictures[1] and len(pictures[0]) == 2


def test_both_parts_learn_and_the_loss_falls(bench: Workbench, tmp_path: Path) -> None:
    trainer = make_trainer(
        bench, tmp_path, steps=24, batch_size=4, judge_every=12, preview_every=99
    )
    before = {name: weight.detach().clone() for name, weight in trainer.weights.items()}
    run_to(trainer, tmp_path)
    changed = {
        name.split(".")[0]
        for name, weight in trainer.weights.items()
        if not torch.equal(weight, before[name])
    }
    assert changed == {"unet", "text_encoder_0"}
    rows = history_without_seconds(tmp_path / "history.csv")
    fixed = [float(row["train_loss"]) for row in rows if row["train_loss"]]
    assert len(fixed) == 2
    assert fixed[1] < fixed[0]
    total = [float(row["loss"]) for row in rows]
    parts = [float(row["subject_loss"]) + float(row["prior_loss"]) for row in rows]
    assert total == pytest.approx(parts, rel=1e-5)


def test_frozen_text_encoder_is_encoded_once(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = make_trainer(bench, tmp_path, text_encoder_learning_rate=0)
    before = [weight.clone() for weight in trainer.objective.model.text_encoders[0].parameters()]
    calls = []
    monkeypatch.setattr(
        "pipeline_lib.dreambooth.objective.encode_training_prompts", lambda *_: calls.append(1)
    )
    for step in range(2):
        assert "text_encoder_learning_rate" not in trainer.make_step(step)[0]
    assert not calls
    after = trainer.objective.model.text_encoders[0].parameters()
    assert all(torch.equal(*pair) for pair in zip(before, after, strict=True))


def test_prior_weight_zero_draws_no_class_images(bench: Workbench, tmp_path: Path) -> None:
    trainer = make_trainer(bench, tmp_path, prior_weight=0)
    assert trainer.objective.batch_sizes == (2, 0)
    (figures,) = trainer.make_step(0)
    assert figures["prior_loss"] == 0
    assert figures["loss"] == figures["subject_loss"]


def test_gradients_are_those_of_the_written_out_loss(bench: Workbench, tmp_path: Path) -> None:
    """One SGD-like look at the gradient: prompts, targets and weights reach the right samples."""
    from pipeline_lib.dreambooth.training_data import make_batch
    from pipeline_lib.models.conditioning import encode_prompts
    from pipeline_lib.models.denoising import predict

    trainer = make_trainer(bench, tmp_path, prior_weight=0.3, batch_size=2, prior_batch_size=3)
    batch = make_batch(trainer.objective.data, 0, 0, (2, 3), torch.arange(1000))
    total = 0.0
    for index in range(5):
        text = trainer.objective.data.prompts[batch.prompts[index]]
        clean, noise = batch.latents[index : index + 1], batch.noise[index : index + 1]
        time = batch.timesteps[index : index + 1]
        share = trainer.objective.schedule.alphas_cumprod[time]
        alpha, sigma = share.sqrt(), (1 - share).sqrt()
        answer = predict(
            trainer.objective.model,
            alpha * clean + sigma * noise,
            time,
            encode_prompts(trainer.objective.model, [text]),
            trainer.objective.size,
        )
        error = (answer - (alpha * noise - sigma * clean)).square().mean()
        total = total + error / 2 if index < 2 else total + 0.3 * error / 3
    total.backward()
    norm = torch.stack([w.grad.norm() for w in trainer.weights.values()]).norm()
    trainer._forget_gradients()
    (figures,) = trainer.make_step(0)
    assert figures["loss"] == pytest.approx(total.item(), rel=1e-5)
    assert figures["gradient_norm"] == pytest.approx(norm.item(), rel=1e-4)


@pytest.mark.parametrize("kind", ["gpu", "cpu", "python"])
def test_lack_of_memory_names_the_mend(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    trainer = make_trainer(bench, tmp_path)
    kinds = {"gpu": lambda: torch.OutOfMemoryError("no"), "python": MemoryError}
    error = kinds.get(kind, cpu_out_of_memory)()

    def no_memory(step: int) -> None:
        raise error

    monkeypatch.setattr(trainer, "make_step", no_memory)
    with pytest.raises(
        UserError, match=r"2 subject and 2 class images in 1 pieces: raise training\.accumulation"
    ):
        run_to(trainer, tmp_path)


def cpu_out_of_memory() -> RuntimeError:
    """Return what torch raises where the CPU's memory does not suffice."""
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**60, dtype=torch.uint8)
    return raised.value


def test_other_errors_of_a_step_are_not_taken_for_lack_of_memory(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = make_trainer(bench, tmp_path)
    monkeypatch.setattr(trainer, "make_step", fail)
    with pytest.raises(RuntimeError, match="no graphics today"):
        run_to(trainer, tmp_path)


def test_float16_is_refused_in_words(bench: Workbench, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="bfloat16 or"):
        make_trainer(bench, tmp_path, precision="float16")


def test_class_prompt_without_class_images_is_refused(bench: Workbench, tmp_path: Path) -> None:
    stage = bench.stage([CONCEPT | {"class_prompt": "a photo of cells"}])
    with pytest.raises(UserError, match="'a photo of cells'"):
        finetune_script.read_priors(stage, bench.priors)


def test_previews_and_export_use_the_average(bench: Workbench, tmp_path: Path) -> None:
    paths = bench.paths(tmp_path)
    stage = bench.stage(ema_decay=0.999, learning_rate=1e-2, steps=5)
    finetune_script.finetune(stage, paths)
    trainer = make_trainer(bench, tmp_path, ema_decay=0.999, learning_rate=1e-2, steps=5)
    run_to(trainer, tmp_path / "again")
    exported = load_file(paths.trained / "unet/diffusion_pytorch_model.safetensors")
    for name, tensor in exported.items():
        assert torch.equal(tensor, trainer.average.averages[f"unet.{name}"])
    raw = [w for name, w in trainer.weights.items() if name.startswith("unet.")]
    assert any(not torch.equal(*pair) for pair in zip(exported.values(), raw, strict=True))
    expected = trainer.draw_previews()["single"]
    for weight in trainer.weights.values():
        weight.data.fill_(float("nan"))
    assert np.array_equal(trainer.draw_previews()["single"], expected)
    assert expected.std() > 0


def test_finished_key_is_reused_in_seconds(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = bench.paths(tmp_path)
    finetune_script.finetune(bench.stage(), paths)
    (state,) = paths.state.iterdir()
    assert is_finished(state)
    assert not (state / CHECKPOINTS).exists()
    first = folder_to_sha256(paths.trained)
    monkeypatch.setattr(finetune_script, "train", lambda *_: pytest.fail("trained again"))
    finetune_script.finetune(bench.stage(), bench.paths(tmp_path / "b", state=paths.state))
    assert folder_to_sha256(tmp_path / "b/model") == first
    monkeypatch.undo()
    (state / CHECKPOINTS / "step-00000004").mkdir(parents=True)  # cut before they were cleared
    finetune_script.finetune(bench.stage(), bench.paths(tmp_path / "b", state=paths.state))
    assert not (state / CHECKPOINTS).exists()
    (state / "model/unet/config.json").write_text("{}")
    assert not is_finished(state)
    finetune_script.finetune(bench.stage(), bench.paths(tmp_path / "c", state=paths.state))
    again = folder_to_sha256(tmp_path / "c/model")
    assert again == first


def test_a_kill_between_training_and_export_costs_only_the_export(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = bench.stage(steps=2)
    finetune_script.finetune(stage, bench.paths(tmp_path / "whole"))
    paths = bench.paths(tmp_path / "cut")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("pipeline_lib.dreambooth.export.write_weights", raise_interrupt)
        finetune_script.finetune(stage, paths)
    monkeypatch.setattr(Trainer, "make_step", lambda *_: pytest.fail("trained again"))
    finetune_script.finetune(stage, paths)
    assert folder_to_sha256(paths.trained) == folder_to_sha256(tmp_path / "whole/model")


def raise_interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_other_settings_or_inputs_start_clean(bench: Workbench, tmp_path: Path) -> None:
    paths = bench.paths(tmp_path)
    finetune_script.finetune(bench.stage(steps=1), paths)
    finetune_script.finetune(bench.stage(steps=1, seed=1), paths)
    fewer = bench.paths(tmp_path, priors=bench.priors[:1])
    finetune_script.finetune(bench.stage(steps=1), fewer)
    assert len(list(paths.state.iterdir())) == 3


def rewritten(path: Path, folder: Path, **metadata: str) -> Path:
    """Return a file with the same tensors and other words about them."""
    folder.mkdir(exist_ok=True)
    save_file(load_file(path), folder / path.name, metadata)
    return folder / path.name


def test_a_new_name_or_new_words_train_nothing_anew(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = bench.paths(tmp_path / "a")
    finetune_script.finetune(bench.stage(), paths)
    monkeypatch.setattr(finetune_script, "train", lambda *_: pytest.fail("trained again"))
    stage = bench.stage([CONCEPT | {"concept": "renamed"}], checkpoint_every=3, preview_count=2)
    stage = stage.model_copy(update={"run": "another-name"})
    latents = rewritten(bench.latents, tmp_path / "new", provenance="another caption")
    again = bench.paths(tmp_path / "b", state=paths.state, latents=[latents])
    finetune_script.finetune(stage, again)
    card = read_json(again.trained / "brightbooth.json")
    assert (card["name"], list(card["concepts"])) == ("another-name", ["renamed"])
    assert "# another-name" in (again.trained / "README.md").read_text()
    old, new = (folder_to_sha256(one.trained) for one in (paths, again))
    assert {name for name in old if old[name] != new[name]} == {"README.md", "brightbooth.json"}


def test_an_orphan_gives_nothing_out_over_what_was_asked_for_after_it(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, real = bench.paths(tmp_path), finetune_script.train
    newer = []

    def train_slowly(*given: object) -> None:
        real(*given)
        monkeypatch.setattr(finetune_script, "train", real)
        finetune_script.finetune(bench.stage(seed=1), paths)
        newer.append(folder_to_sha256(paths.trained))

    monkeypatch.setattr(finetune_script, "train", train_slowly)
    with pytest.raises(UserError, match="asked for with other settings"):
        finetune_script.finetune(bench.stage(seed=0), paths)
    assert folder_to_sha256(paths.trained) == newer[0]
    finetune_script.finetune(bench.stage(seed=0), paths)
    assert folder_to_sha256(paths.trained) != newer[0]


def test_a_training_goes_on_in_the_precision_that_it_began_with(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_a_machine(native: bool) -> None:
        abilities = {"avx512_bf16": native, "amx_bf16": native}
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: abilities)

    settings = {"precision": "auto", "steps": 4}
    on_a_machine(native=True)
    run_to(make_trainer(bench, tmp_path / "whole", **settings), tmp_path / "whole")
    with pytest.raises(StoppedError):
        run_to(make_trainer(bench, tmp_path / "moved", **settings), tmp_path / "moved", last=2)
    on_a_machine(native=False)
    run_to(make_trainer(bench, tmp_path / "moved", **settings), tmp_path / "moved")
    ends = [newest_checkpoint(tmp_path / one / CHECKPOINTS).tensors for one in ("whole", "moved")]
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


@pytest.mark.parametrize(
    "changed",
    [
        {"accumulation": 2},
        {"gradient_checkpointing": True},
        {"compile": True},
    ],
)
def test_what_saves_memory_or_time_changes_no_result(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, object]
) -> None:
    real = torch.nn.Module.compile
    monkeypatch.setattr(  # the graph is traced and run as it is: no compiler is needed
        torch.nn.Module, "compile", lambda self, **given: real(self, backend="eager", **given)
    )
    plain = make_trainer(bench, tmp_path / "plain")
    other = make_trainer(bench, tmp_path / "other", **changed)
    for step in range(2):
        (expected,), (found,) = plain.make_step(step), other.make_step(step)
        assert found == pytest.approx(expected, rel=1e-4)


def test_on_two_cores_a_step_is_worked_on_in_halves_to_the_same_bits(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = make_trainer(bench, tmp_path / "plain")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    halved = [make_trainer(bench, tmp_path / name) for name in ("one", "other")]
    assert [one.course.threads for one in (plain, *halved)] == [1, 2, 2]
    assert len(halved[0].objective.step_to_pieces(0)) == 2
    for step in range(2):
        (expected,) = plain.make_step(step)
        (found,), (again,) = (one.make_step(step) for one in halved)
        assert found == pytest.approx(expected, rel=1e-4)
        assert found == again


@pytest.mark.parametrize(
    "sparing", [{"accumulation": 2}, {"gradient_checkpointing": True}, {"batch_size": 1}]
)
def test_what_spares_memory_is_worked_on_in_turn(
    monkeypatch: pytest.MonkeyPatch, sparing: dict[str, object]
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    processor = torch.device("cpu")
    assert settings_to_threads(TrainingSettings(), processor) == 2
    assert settings_to_threads(TrainingSettings(**sparing), processor) == 1
    assert settings_to_threads(TrainingSettings(), torch.device("cuda")) == 1


def test_min_snr_and_offset_noise_reach_the_loss(bench: Workbench, tmp_path: Path) -> None:
    settings = {"prior_weight": 0.0, "text_encoder_learning_rate": 0.0, "batch_size": 4}
    plain = make_trainer(bench, tmp_path, **settings)
    weighed = make_trainer(bench, tmp_path, minimum_snr_gamma=5.0, **settings)
    (piece,) = plain.objective.step_to_pieces(0)
    prediction, target = plain.objective._predict(piece)
    share = plain.objective.schedule.alphas_cumprod[piece.timesteps]
    snr = share / (1 - share)
    kind = plain.objective.schedule.config.prediction_type
    weights = snr.clamp(max=5) / (snr + (kind == "v_prediction"))
    errors = (prediction - target).square().flatten(1).mean(1)
    expected = (weights * errors).mean().item()
    assert weighed.make_step(0)[0]["loss"] == pytest.approx(expected, rel=1e-5)
    offset = make_trainer(bench, tmp_path, offset_noise=0.5, **settings)
    (moved,) = offset.objective.step_to_pieces(0)
    difference = moved.noise - piece.noise
    assert torch.allclose(difference, difference[..., :1, :1].expand_as(difference), atol=1e-6)
    assert difference.std() == pytest.approx(0.5, rel=0.5)


def test_either_part_can_be_frozen(bench: Workbench, tmp_path: Path) -> None:
    trainer = make_trainer(bench, tmp_path, learning_rate=0.0)
    assert set(trainer.objective.groups) == {"text_encoder"}
    before = [weight.clone() for weight in trainer.objective.model.unet.parameters()]
    trainer.make_step(0)
    after = trainer.objective.model.unet.parameters()
    assert all(torch.equal(*pair) for pair in zip(before, after, strict=True))


def test_tensorboard_has_the_steps_figures_once(bench: Workbench, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    settings = {"steps": 4, "tensorboard": True, "checkpoint_every": 4}
    with pytest.raises(StoppedError):
        run_to(make_trainer(bench, tmp_path, **settings), tmp_path, last=2)
    trainer = make_trainer(bench, tmp_path, **settings)
    run_to(trainer, tmp_path)
    trainer.accelerator.end_training()
    events = EventAccumulator(str(next(path for path in tmp_path.rglob("*tfevents*")).parent))
    events.Reload()
    assert [event.step for event in events.Scalars("loss")] == [1, 2, 3, 4]


def test_stop_by_signal_saves_and_asks_for_another_run(bench: Workbench, tmp_path: Path) -> None:
    paths = bench.paths(tmp_path)
    stage = bench.stage(steps=300, checkpoint_every=300)
    real = finetune_script.make_trainer

    def signalling(*arguments):
        trainer = real(*arguments)
        make_step = trainer.make_step

        def step_and_signal(step: int):
            if step == 3:
                os.kill(os.getpid(), signal.SIGTERM)
            return make_step(step)

        trainer.make_step = step_and_signal
        return trainer

    finetune_script.make_trainer = signalling
    try:
        with pytest.raises(SystemExit) as stopped:
            finetune_script.finetune(stage, paths)
    finally:
        finetune_script.make_trainer = real
    assert stopped.value.code == 75
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    (state,) = paths.state.iterdir()
    assert newest_checkpoint(state / CHECKPOINTS).step == 4
    assert not paths.trained.exists()


@pytest.mark.parametrize("architecture", ["tiny", "sd15", "sd21", "sdxl"])
def test_all_architectures_train_and_load_as_plain_pipelines(
    workbenches: Callable[[str], Workbench], tmp_path: Path, architecture: str
) -> None:
    from diffusers import DiffusionPipeline

    bench = workbenches(architecture)
    paths = bench.paths(tmp_path)
    second = CONCEPT | {"concept": "edge", "noun": "bacteria"}
    stage = bench.stage([CONCEPT, second], steps=2, preview_count=2)
    paths.latents, paths.identifiers = 2 * [bench.latents], 2 * paths.identifiers
    finetune_script.finetune(stage, paths)
    card = read_json(paths.trained / "brightbooth.json")
    assert card["architecture"] == architecture
    assert [card["concepts"][name]["identifier"] for name in ("single", "edge")] == ["qv", "zx"]
    assert card["synthetic"] is True
    files = folder_to_sha256(paths.trained)
    del files["brightbooth.json"]
    assert card["files"] == files
    assert not [name for name in files if not name.endswith((".json", ".txt", ".md", "tensors"))]
    ours = load_model(paths.trained / "brightbooth.json")
    pipeline = DiffusionPipeline.from_pretrained(paths.trained)
    assert getattr(pipeline, "safety_checker", None) is None
    pipeline.set_progress_bar_config(disable=True)
    assert len(ours.text_encoders) == (2 if architecture == "sdxl" else 1)
    picture = pipeline(
        card["concepts"]["edge"]["prompt"], num_inference_steps=2, height=64, width=64
    ).images[0]
    assert np.asarray(picture).std() > 0
