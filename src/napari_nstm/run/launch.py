"""The child as a process of the operating system: how it is started, and how it ended."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

# Signals KILL and TERM, as the status of a process has them.
_KILLED_FROM_OUTSIDE = (-9, -15)
# Last words of C++, Python, jax and the dynamic linker.
_NO_MEMORY = ("std::bad_alloc", "MemoryError", "RESOURCE_EXHAUSTED", "cannot allocate memory", "can't start new thread")


def start_process(
    folder: Path, log_path: Path, grace_s: float, environment: Mapping[str, str]
) -> subprocess.Popen[str]:
    """Start a child.

    Parameters
    ----------
    folder
        For the arrays of its events.
    log_path
        Where all goes that its libraries print.
    grace_s
        Seconds it has for a checkpoint once this process is gone.
    environment
        Variables beside those of this process.

    Raises
    ------
    OSError
        If it cannot be started.
    """
    with log_path.open("wb") as log:
        return subprocess.Popen(
            # -P: a file called random.py in the user's folder must not stand in for the library.
            [sys.executable, "-P", "-m", "napari_nstm.run.child", "--folder", str(folder), "--grace-s", str(grace_s)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, "XLA_PYTHON_CLIENT_PREALLOCATE": "false", "PYTHONUTF8": "1", **environment},
            text=True,
            encoding="utf-8",
            creationflags=_windows_flags(),
        )


def how_it_ended(status: int | None, log_path: Path) -> str:
    """Say in a sentence how a child ended.

    Parameters
    ----------
    status
        Its exit status; None: it runs, but does not answer.
    log_path
        Its log, whose last line tells the reason of those that break down.
    """
    if status in _KILLED_FROM_OUTSIDE:
        # Who is killed has no last words: what stands in the log explains nothing.
        return (
            f"The fitting process was killed from outside (signal {-status}); "
            "the system does that when memory runs out."
        )
    last = _last_line(log_path)
    if any(word.lower() in last.lower() for word in _NO_MEMORY):
        return "The fitting process ran out of memory; a smaller field or fewer frames need less."
    if status is None:
        how = "does not answer"
    else:
        how = f"broke down (signal {-status})" if status < 0 else f"ended with status {status}"
    return f"The fitting process {how}" + (f": {last}" if last else ".")


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return ""
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "")


def _windows_flags() -> int:
    if sys.platform != "win32":
        return 0
    return subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.BELOW_NORMAL_PRIORITY_CLASS
