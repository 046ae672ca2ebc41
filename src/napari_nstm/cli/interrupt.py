"""Ctrl-C and SIGTERM: the first asks the run to stop and keep what was reached, the second ends it at once."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupt:
    """Watches for signals while it is entered; usable in the main thread only.

    Parameters
    ----------
    tell
        Called with `sentence` once, when the run next asks whether to stop: not in the signal handler, which
        may have come in the middle of another write to the same stream.
    """

    def __init__(self, tell: Callable[[str], None], sentence: str = "Stopping; what was reached is kept.") -> None:
        self.asked = False
        self._told = False
        self._tell, self._sentence = tell, sentence
        self._before: dict[signal.Signals, Any] = {}

    def __call__(self) -> bool:
        """Whether a stop was asked for."""
        if self.asked and not self._told:
            self._told = True
            self._tell(self._sentence)
        return self.asked

    def __enter__(self) -> Interrupt:
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
