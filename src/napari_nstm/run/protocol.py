"""What a child process and its parent say to each other: JSON lines, arrays beside them as .npy files.

Parent to child: `{"command": "run", "run_id": ..., "job": {...}, "base_dir": ...}`, `estimate` with the same,
`{"command": "resume", "run_id": ..., "store": ..., "steps": ...}` (with steps beyond its end, or without),
`{"command": "stop", "run_id": ...}`, `pause` and `go_on` with the same, `{"command": "show", "run_id": ...,
"time_ms": ...}` and `{"command": "quit"}`. Child to parent: one event a line.
No pickle: nothing that is read can run.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.errors import InputError, StoreError
from napari_nstm.core.events import (
    Checkpointed,
    Event,
    Failed,
    Finished,
    Notice,
    PartDone,
    Paused,
    Prepared,
    Preview,
    Progress,
    Working,
)

COMMANDS = ("run", "estimate", "resume", "stop", "pause", "go_on", "show", "quit")
_ARRAYS_KEPT = 8


@dataclass(frozen=True)
class Ready(Event):
    """The child has loaded its libraries and takes jobs; its run id is empty.

    Parameters
    ----------
    versions
        Versions of what it runs with.
    """

    versions: Mapping[str, str]


_EVENTS: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (Ready, Notice, Prepared, Working, Progress, Paused, Preview, Checkpointed, PartDone, Finished, Failed)
}


class ArrayFolder:
    """Where a child puts the arrays of its events.

    Each array gets a name of its own, appears whole (written beside and renamed) and the oldest are
    removed: a reader that has one mapped keeps it, on Windows too, where a mapped file cannot be replaced.

    Parameters
    ----------
    path
        The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._count = 0
        self._written: deque[Path] = deque()

    def write(self, array: NDArray[Any]) -> str:
        """Write an array and return its name in the folder; raises `StoreError` if the disk is full."""
        self._count += 1
        target = self.path / f"array-{self._count:06d}.npy"
        try:
            write_array(target, array)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise StoreError(f"Pictures cannot be written to {self.path}: {reason}.") from error
        self._written.append(target)
        while len(self._written) > _ARRAYS_KEPT:
            oldest = self._written.popleft()
            # Windows refuses while a reader has it mapped; the folder is removed in the end.
            with contextlib.suppress(OSError):
                oldest.unlink()
        return target.name


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write an array as .npy so that it appears whole or not at all.

    Raises
    ------
    OSError
        Says why it cannot be written (numpy's own writing forgets why).
    """
    content = np.ascontiguousarray(array)
    if content.dtype.hasobject:
        raise ValueError("Object arrays cannot be written")
    header = np.lib.format.header_data_from_array_1_0(content)
    beside = path.with_name(path.name + ".part")
    try:
        with beside.open("wb") as stream:
            np.lib.format.write_array_header_1_0(stream, header)
            stream.write(content.reshape(-1).view(np.uint8).data)
        os.replace(beside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise


def encode_event(event: Event, arrays: ArrayFolder) -> str:
    """Write an event as one line of JSON; its arrays go to the folder, a `Finished` leaves its result there behind."""
    content: dict[str, Any] = {"event": type(event).__name__}
    for entry in fields(event):
        value = getattr(event, entry.name)
        if entry.name == "result" and isinstance(event, Finished):
            continue
        content[entry.name] = {"npy": arrays.write(value)} if isinstance(value, np.ndarray) else value
    return json.dumps(content, ensure_ascii=True, default=_plain)


def decode_event(line: str, folder: Path) -> Event | None:
    """Read an event; arrays are memory-mapped.

    Returns
    -------
    None for a `Preview` whose arrays newer ones have replaced already.

    Raises
    ------
    ValueError
        If the line is no event.
    """
    content = json.loads(line)
    if not isinstance(content, dict) or content.get("event") not in _EVENTS:
        raise ValueError(f"not an event: {line[:200]!r}")
    kind = _EVENTS[content.pop("event")]
    values: dict[str, Any] = {}
    # What a newer version says beyond what is known here is left aside.
    for name, value in ((entry.name, content[entry.name]) for entry in fields(kind) if entry.name in content):
        if isinstance(value, dict) and set(value) == {"npy"}:
            try:
                values[name] = np.load(folder / Path(value["npy"]).name, mmap_mode="r", allow_pickle=False)
            except FileNotFoundError:
                return None
        else:
            values[name] = tuple(value) if isinstance(value, list) else value
    return kind(**values)


def decode_command(line: str) -> dict[str, Any]:
    """Read a command.

    Raises
    ------
    InputError
        If the line is no command, or lacks what its command needs.
    """
    takes = f"a JSON object whose command is {', '.join(COMMANDS[:-1])} or {COMMANDS[-1]}"
    try:
        content = json.loads(line)
    except ValueError as error:
        raise InputError("command", repr(line.strip()[:60]), takes) from error
    if not isinstance(content, dict) or content.get("command") not in COMMANDS:
        raise InputError("command", repr(line.strip()[:60]), takes)
    needed: dict[str, dict[str, type]] = {
        "run": {"run_id": str, "job": dict, "base_dir": str},
        "estimate": {"run_id": str, "job": dict, "base_dir": str},
        "resume": {"run_id": str, "store": str},
        "stop": {"run_id": str},
        "pause": {"run_id": str},
        "go_on": {"run_id": str},
        "show": {"run_id": str, "time_ms": float},
        "quit": {},
    }
    for name, kind in needed[content["command"]].items():
        value = content.get(name)
        if kind is float and type(value) is int:
            value = content[name] = float(value)
        if not isinstance(value, kind):
            raise InputError(f"command.{name}", repr(value)[:60], f"a {kind.__name__}")
    steps = content.get("steps")
    if content["command"] == "resume" and steps is not None and type(steps) is not int:
        raise InputError("command.steps", repr(steps)[:60], "an int")
    return content


def _plain(value: object) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot travel in an event")
