"""The process that fits, `python -m napari_nstm.run.child`: jobs come in, events go out, it stays warm in between.

It ends when its standard input does, so that it never outlives its parent. Run it through `client.Child`.
Only the standard library is imported before the streams are taken over: no library can print into the protocol.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import IO, NoReturn

_SWITCH_S = 0.0005


def _take_over_streams() -> tuple[IO[str], IO[str]]:
    """Keep standard input and output for the protocol; whatever libraries print goes to standard error, the log."""
    commands, events = os.dup(0), os.dup(1)
    # On Windows some libraries ask what standard input is while they load, and would wait for the reading thread.
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return (
        os.fdopen(commands, "r", encoding="utf-8", errors="replace"),
        os.fdopen(events, "w", encoding="utf-8", newline="\n"),
    )


def _step_back() -> None:
    """Leave the processor to what the user looks at, and Ctrl-C to the parent."""
    if hasattr(os, "nice"):
        os.nice(10)
    # Ctrl-C in a terminal reaches the whole group; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def main(arguments: list[str] | None = None) -> None:
    """Serve the process that started this one."""
    parser = argparse.ArgumentParser(prog="python -m napari_nstm.run.child", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="for the arrays of events; removed at the end")
    parser.add_argument("--grace-s", type=float, default=5.0, help="time for a checkpoint once the parent is gone")
    options = parser.parse_args(arguments)
    folder: Path = options.folder
    commands, events = _take_over_streams()
    _step_back()
    # A stop writes its result while another thread may still trace a program: many short waits for the interpreter.
    sys.setswitchinterval(_SWITCH_S)
    # jax would otherwise take three quarters of the GPU's memory from napari's canvas.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

    parent_gone = threading.Event()

    def leave(status: int) -> NoReturn:
        # A parent that is there reads the log, and removes the folder itself.
        if parent_gone.is_set():
            shutil.rmtree(folder, ignore_errors=True)
        os._exit(status)

    def leave_soon() -> None:
        # In the reading thread: the main one may be inside a compile that nothing can interrupt.
        parent_gone.set()
        time.sleep(options.grace_s)
        leave(1)

    try:
        from napari_nstm.run.serve import Inbox, Outbox, ParentGoneError, serve

        inbox = Inbox(commands, on_closed=leave_soon)
        inbox.start()
        try:
            serve(inbox, Outbox(events, folder))
        except ParentGoneError:
            parent_gone.set()
            leave(1)
    except BaseException:  # noqa: BLE001 -- whatever it is, the log gets it and the process ends
        traceback.print_exc()
        leave(1)
    parent_gone.set()
    leave(0)


if __name__ == "__main__":
    main()
