"""Work in processes of their own, which can be killed.

They are forks of a server that has imported everything and has used no threads. A fork of the
tests' own process would wait for ever for the threads of PyTorch, which are not forked with it.
"""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

import torch

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.preloaded"])


def start(work: Callable[..., Any], *given: Any, threads: int) -> BaseProcess:
    """Start a function, found by its name, with so many threads of PyTorch."""
    process = CONTEXT.Process(target=_work_with_threads, args=(threads, work, given))
    process.start()
    return process


def finish(work: Callable[..., Any], *given: Any, threads: int) -> None:
    """Let a function come to its end, which has to be a good one."""
    process = start(work, *given, threads=threads)
    process.join()
    assert process.exitcode == 0


def seconds_to_finish(work: Callable[..., Any], *given: Any, threads: int) -> float:
    """Return how long a function takes, without what the server takes to import everything."""
    finish(time.sleep, 0, threads=threads)
    started = time.monotonic()
    finish(work, *given, threads=threads)
    return time.monotonic() - started


def kill(process: BaseProcess) -> bool:
    """End a process without warning, and say whether this cut it: it may have ended before."""
    process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL


def _work_with_threads(threads: int, work: Callable[..., Any], given: tuple[Any, ...]) -> None:
    torch.set_num_threads(threads)
    work(*given)
