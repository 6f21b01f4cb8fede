"""How a training learns that it shall stop: by a signal, or by the time that it may take."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

RESUME_EXIT = 75  # EX_TEMPFAIL: run the same command again


class StoppedError(Exception):
    """The training was asked to stop and saved its state; the same command goes on from there."""


class StopRequest:
    """Whether the process was asked to end: SIGTERM by a scheduler, SIGINT by Ctrl-C, or time.

    Parameters
    ----------
    minutes : float, optional
        Wall-clock time from now after which the answer is yes.
    """

    def __init__(self, minutes: float | None = None) -> None:
        self.signalled = False
        self._deadline = None if minutes is None else time.monotonic() + 60 * minutes

    @property
    def requested(self) -> bool:
        """Say whether to stop."""
        late = self._deadline is not None and time.monotonic() >= self._deadline
        return self.signalled or late

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Remember the request; a second one of the same kind acts at once."""
        self.signalled = True
        signal.signal(number, signal.SIG_DFL)
        logging.info("asked to stop (signal %d): saving at the end of this step", number)


@contextmanager
def stop_on_signals(minutes: float | None = None) -> Iterator[StopRequest]:
    """Turn SIGTERM, SIGINT and the end of some time into a request while the context lasts."""
    stop = StopRequest(minutes)
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, stop.handle) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
