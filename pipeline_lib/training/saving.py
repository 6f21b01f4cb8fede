"""Checkpoints that are written while the training goes on."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from pipeline_lib.training.checkpoints import write_checkpoint

if TYPE_CHECKING:
    import torch


class CheckpointWriter:
    """Writes checkpoints one after the other, in a thread or at once.

    In a thread, `write` returns as soon as the tensors are copied to the processor's memory; a copy
    of a gigabyte takes a tenth of a second, its hashing and writing many seconds. On a processor
    the copy would take as much memory as the training itself, and the thread time from it.

    Parameters
    ----------
    folder : Path
        Folder of the checkpoints.
    in_thread : bool
        Whether to write them while the caller goes on.
    """

    def __init__(self, folder: Path, in_thread: bool) -> None:
        self._folder = folder
        self._pool = ThreadPoolExecutor(1, "checkpoint") if in_thread else None
        self._pending: Future[None] | None = None

    def __enter__(self) -> CheckpointWriter:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Wait for the last checkpoint; its failure is told unless another is under way."""
        try:
            self.wait()
        except Exception:
            if error is None:
                raise
        finally:
            if self._pool is not None:
                self._pool.shutdown()

    def write(
        self, step: int, tensors: Mapping[str, torch.Tensor], state: Mapping[str, Any]
    ) -> None:
        """Write a checkpoint, or begin to: after the one before is whole.

        Parameters
        ----------
        step : int
            Steps that have been made.
        tensors : mapping
            Tensors by name; they may change as soon as this returns.
        state : mapping
            JSON-able values.

        Raises
        ------
        UserError
            If the disk is full, or was for the one before; older checkpoints are still there.
        """
        self.wait()
        if self._pool is None:
            write_checkpoint(self._folder, step, tensors, state)
            return
        kept = {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}
        self._pending = self._pool.submit(write_checkpoint, self._folder, step, kept, dict(state))

    def wait(self) -> None:
        """Wait until what was begun is whole.

        Raises
        ------
        UserError
            If the disk is full; older checkpoints are still there.
        """
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()
