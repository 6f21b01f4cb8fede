from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pipeline_lib.dreambooth import training
from pipeline_lib.dreambooth.checkpoints import newest_checkpoint
from pipeline_lib.dreambooth.state import CHECKPOINTS, is_finished
from pipeline_lib.dreambooth.trainer import Trainer
from pipeline_lib.dreambooth.training import StoppedError, StopRequest, training_steps
from pipeline_lib.files import folder_to_sha256, read_json
from pipeline_lib.models.conditioning import PromptEmbedding
from pipeline_lib.models.loading import load_model
from pipeline_lib.settings import UserError
from tests.dreambooth.workbench import CONCEPT, Workbench, load_script

finetune_script = load_script("finetune")


def make_trainer(bench: Workbench, **training: object) -> Trainer:
    stage = bench.stage(**training)
    return finetune_script.make_trainer(stage, bench.paths(Path("unused")), ("zx",))


def history_without_seconds(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        del row["seconds"]
    return rows


def run_to(trainer: Trainer, folder: Path, last: int | None = None) -> None:
    stop = StopRequest()
    for progress in training_steps(trainer, folder, stop):
        stop.requested = progress.step + 1 == last  # in the middle of the next step


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_resumed_is_bit_for_bit_unbroken(bench: Workbench, tmp_path: Path, precision: str) -> None:
    settings = {"steps": 6, "precision": precision, "preview_every": 3, "checkpoint_every": 4}
    run_to(make_trainer(bench, **settings), tmp_path / "whole")
    with pytest.raises(StoppedError, match="after step 3 of 6"):
        run_to(make_trainer(bench, **settings), tmp_path / "broken", last=3)
    run_to(make_trainer(bench, **settings), tmp_path / "broken")
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


@pytest.mark.parametrize("what", ["previews", "fixed_losses"])
def test_what_the_training_can_do_without_only_warns(
    bench: Workbench, tmp_path: Path, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    trainer = make_trainer(bench, steps=4, checkpoint_every=2, preview_every=2)
    setattr(trainer, what, fail)
    run_to(trainer, tmp_path)
    assert newest_checkpoint(tmp_path / CHECKPOINTS).step == 4
    assert "step 2: RuntimeError: no graphics today" in caplog.text
    rows = history_without_seconds(tmp_path / "history.csv")
    assert [row["step"] for row in rows] == ["1", "2", "3", "4"]
    assert bool(rows[1]["train_loss"]) == (what == "previews")


def test_a_training_whose_previews_all_failed_is_given_out(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trainer, "previews", fail)
    paths = bench.paths(tmp_path)
    finetune_script.finetune(bench.stage(steps=2), paths)
    assert (paths.trained / "brightbooth.json").exists()
    assert paths.previews.stat().st_size > 0


def test_a_kill_while_previews_are_drawn_loses_no_step(bench: Workbench, tmp_path: Path) -> None:
    settings = {"steps": 4, "checkpoint_every": 2, "preview_every": 2}
    run_to(make_trainer(bench, **settings), tmp_path / "whole")
    cut = make_trainer(bench, **settings)
    cut.previews = raise_interrupt
    with pytest.raises(KeyboardInterrupt):
        run_to(cut, tmp_path / "cut")
    assert newest_checkpoint(tmp_path / "cut" / CHECKPOINTS).step == 2
    again = make_trainer(bench, **settings)
    made, make_step = [], again.make_step
    again.make_step = lambda step: made.append(step) or make_step(step)
    run_to(again, tmp_path / "cut")
    assert made == [2, 3]
    rows = [history_without_seconds(tmp_path / name / "history.csv") for name in ("whole", "cut")]
    assert rows[0] == rows[1]
    pictures = [folder_to_sha256(tmp_path / name / "previews") for name in ("whole", "cut")]
    assert pictures[0] == pictures[1] and len(pictures[0]) == 2


def test_a_request_while_a_checkpoint_is_written_costs_no_second_one(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop, written = StopRequest(), []
    real = training.write_checkpoint

    def requesting(*given):
        written.append(given[1])
        stop.requested = True
        real(*given)

    monkeypatch.setattr(training, "write_checkpoint", requesting)
    trainer = make_trainer(bench, steps=6, checkpoint_every=2, preview_every=6)
    with pytest.raises(StoppedError, match="after step 2 of 6"):
        list(training_steps(trainer, tmp_path, stop))
    assert written == [2]


def test_both_parts_learn_and_the_loss_falls(bench: Workbench, tmp_path: Path) -> None:
    trainer = make_trainer(bench, steps=24, batch_size=4, checkpoint_every=12, preview_every=99)
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
    trainer = make_trainer(bench, text_encoder_learning_rate=0)
    before = [weight.clone() for weight in trainer.model.text_encoders[0].parameters()]
    calls = []
    monkeypatch.setattr(
        "pipeline_lib.dreambooth.trainer.encode_prompts", lambda *_: calls.append(1)
    )
    for step in range(2):
        assert trainer.make_step(step)["text_encoder_learning_rate"] == 0
    assert not calls
    after = trainer.model.text_encoders[0].parameters()
    assert all(torch.equal(*pair) for pair in zip(before, after, strict=True))


def test_prior_weight_zero_draws_no_class_images(bench: Workbench) -> None:
    trainer = make_trainer(bench, prior_weight=0)
    assert trainer.batch_sizes == (2, 0)
    figures = trainer.make_step(0)
    assert figures["prior_loss"] == 0
    assert figures["loss"] == figures["subject_loss"]


def test_gradients_are_those_of_the_written_out_loss(bench: Workbench) -> None:
    """One SGD-like look at the gradient: prompts, targets and weights reach the right samples."""
    from pipeline_lib.dreambooth.training_data import make_batch
    from pipeline_lib.models.conditioning import encode_prompts
    from pipeline_lib.models.denoising import predict

    trainer = make_trainer(bench, prior_weight=0.3, batch_size=2, prior_batch_size=3)
    batch = make_batch(trainer.data, 0, 0, (2, 3), torch.arange(1000))
    total = 0.0
    for index in range(5):
        text = trainer.data.prompts[batch.prompts[index]]
        clean, noise = batch.latents[index : index + 1], batch.noise[index : index + 1]
        time = batch.timesteps[index : index + 1]
        share = trainer.schedule.alphas_cumprod[time]
        alpha, sigma = share.sqrt(), (1 - share).sqrt()
        answer = predict(
            trainer.model,
            alpha * clean + sigma * noise,
            time,
            encode_prompts(trainer.model, [text]),
            trainer.size,
        )
        error = (answer - (alpha * noise - sigma * clean)).square().mean()
        total = total + error / 2 if index < 2 else total + 0.3 * error / 3
    total.backward()
    norm = torch.stack([w.grad.norm() for w in trainer.weights.values()]).norm()
    trainer.optimizer.zero_grad()
    figures = trainer.make_step(0)
    assert figures["loss"] == pytest.approx(total.item(), rel=1e-5)
    assert figures["gradient_norm"] == pytest.approx(norm.item(), rel=1e-4)


def test_divergence_keeps_the_last_good_checkpoint(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = make_trainer(bench, steps=6, checkpoint_every=2, preview_every=99)
    real = trainer._predict

    def poisoned(batch, embedding):
        prediction, target = real(batch, embedding)
        spoilt = trainer.optimizer.param_groups[0]["lr"] and len(calls) >= 4
        calls.append(1)
        return (prediction * float("nan"), target) if spoilt else (prediction, target)

    calls: list[int] = []
    monkeypatch.setattr(trainer, "_predict", poisoned)
    monkeypatch.setattr(trainer, "fixed_losses", dict)
    with pytest.raises(UserError, match=r"at step 5.*learning_rate \(now 0\.001\)"):
        run_to(trainer, tmp_path)
    kept = newest_checkpoint(tmp_path / CHECKPOINTS)
    assert kept.step == 4
    assert all(torch.isfinite(tensor).all() for tensor in kept.tensors.values())
    assert all(torch.isfinite(weight).all() for weight in trainer.weights.values())


@pytest.mark.parametrize("kind", ["gpu", "cpu", "python"])
def test_lack_of_memory_names_the_mend(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    trainer = make_trainer(bench)
    kinds = {"gpu": lambda: torch.OutOfMemoryError("no"), "python": MemoryError}
    error = kinds.get(kind, cpu_out_of_memory)()

    def no_memory(step: int) -> None:
        raise error

    monkeypatch.setattr(trainer, "make_step", no_memory)
    with pytest.raises(UserError, match=r"2 subject and 2 class.*Lower training\.batch_size"):
        run_to(trainer, tmp_path)


def cpu_out_of_memory() -> RuntimeError:
    """Return what torch raises where the CPU's memory does not suffice."""
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**60, dtype=torch.uint8)
    return raised.value


def test_other_errors_of_a_step_are_not_taken_for_lack_of_memory(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = make_trainer(bench)
    monkeypatch.setattr(trainer, "make_step", fail)
    with pytest.raises(RuntimeError, match="no graphics today"):
        run_to(trainer, tmp_path)


def test_float16_is_refused_in_words(bench: Workbench) -> None:
    with pytest.raises(UserError, match="bfloat16 or float32"):
        make_trainer(bench, precision="float16")


def test_class_prompt_without_class_images_is_refused(bench: Workbench, tmp_path: Path) -> None:
    stage = bench.stage([CONCEPT | {"class_prompt": "a photo of cells"}])
    with pytest.raises(UserError, match="'a photo of cells'"):
        finetune_script.make_trainer(stage, bench.paths(tmp_path), ("zx",))


def test_previews_and_export_use_the_average(bench: Workbench, tmp_path: Path) -> None:
    paths = bench.paths(tmp_path)
    stage = bench.stage(ema_decay=0.999, learning_rate=1e-2, steps=5)
    finetune_script.finetune(stage, paths)
    trainer = make_trainer(bench, ema_decay=0.999, learning_rate=1e-2, steps=5)
    run_to(trainer, tmp_path / "again")
    exported = load_file(paths.trained / "unet/diffusion_pytorch_model.safetensors")
    for name, tensor in exported.items():
        assert torch.equal(tensor, trainer.average.averages[f"unet.{name}"])
    raw = [w for name, w in trainer.weights.items() if name.startswith("unet.")]
    assert any(not torch.equal(*pair) for pair in zip(exported.values(), raw, strict=True))
    expected = trainer.previews()["single"]
    for weight in trainer.weights.values():
        weight.data.fill_(float("nan"))
    assert np.array_equal(trainer.previews()["single"], expected)
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
        patch.setattr(finetune_script, "make_card", raise_interrupt)
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
    paths.latents = [bench.latents, bench.latents]
    finetune_script.finetune(stage, paths)
    card = read_json(paths.trained / "brightbooth.json")
    assert card["architecture"] == architecture
    assert [card["concepts"][name]["identifier"] for name in ("single", "edge")] == ["zx", "qv"]
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


@pytest.mark.parametrize("rounds", [3, pytest.param(20, marks=pytest.mark.long)])
def test_killed_at_random_moments_it_ends_the_same(
    bench: Workbench, tmp_path: Path, rounds: int
) -> None:
    root = Path(__file__).parents[2]
    finished = subprocess.run(
        [sys.executable, "-m", "tests.dreambooth.killing", bench.folder, tmp_path, str(rounds)],
        cwd=root,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert finished.stdout.count("equal") == rounds
