"""Independent pieces of work: tiles of a field, acquisitions of a series, jobs of a batch.

A part is a command in plain JSON, so that it can be carried out here or on a worker of a cluster. Parts are idempotent:
one that is done says so at once, one that was interrupted goes on from its checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from napari_nstm.core.errors import NstmError, in_one_sentence
from napari_nstm.core.events import Event, Failed
from napari_nstm.run.patience import Controls


@dataclass(frozen=True)
class Part:
    """One piece of work.

    Parameters
    ----------
    name
        What the user knows it as (`tile 3 of 16`).
    command
        `{"do": "tile", "store": PATH, "index": 3}` (and `"device"`, where it is not the plan's), or
        `{"do": "job", "job": {...}, "base_dir": PATH, "overwrite": false}` (and `"or_anew": true`, where it begins
        anew if the result that it starts from did not come to be).
    after
        Index of an earlier part that must have ended before this one begins; None: none. Where that failed this one
        fails too, if it cannot begin anew.
    """

    name: str
    command: Mapping[str, Any]
    after: int | None = None


@dataclass(frozen=True)
class PartEvent:
    """An event of a part.

    Parameters
    ----------
    index
        Which part.
    event
        Its event; the last of a part is `Finished` or `Failed`.
    """

    index: int
    event: Event


def run_parts(
    parts: Sequence[Part], controls: Controls, scheduler: str | None = None
) -> Generator[PartEvent, None, None]:
    """Carry out parts, one after another here, or on a Dask cluster; a part that fails does not end the others.

    After a stop was asked for, the part at work keeps what it reached, and no other begins.

    Parameters
    ----------
    parts
        Those that are to be done.
    controls
        Stop and pause hold for all of them.
    scheduler
        Address of a Dask scheduler, or the path of its scheduler file; None: here, in this process.
    """
    if scheduler is not None:
        from napari_nstm.run.cluster import run_on_cluster

        yield from run_on_cluster(parts, controls, scheduler)
        return
    yield from in_turn(parts, controls, lambda index: events_of(parts[index].command, controls))


def in_turn(
    parts: Sequence[Part], controls: Controls, carry_out: Callable[[int], Iterable[Event]]
) -> Generator[PartEvent, None, None]:
    """Carry out parts one after another; one whose neighbour failed fails too, if it cannot begin anew.

    Parameters
    ----------
    parts, controls
        As for `run_parts`.
    carry_out
        Does a part, by its index, and gives its events; the last one is `Finished` or `Failed`.
    """
    failed: set[int] = set()
    for index, part in enumerate(parts):
        if controls.should_stop():
            return
        events = carry_out(index)
        if part.after is not None and part.after in failed and not may_begin_anew(part.command):
            events = [Failed(controls.run_id, None, f"Not begun, because {parts[part.after].name} failed.")]
        for event in events:
            if isinstance(event, Failed):
                failed.add(index)
            yield PartEvent(index, event)


def events_of(command: Mapping[str, Any], controls: Controls) -> Generator[Event, None, None]:
    """Carry out a part's command in this process; whatever goes wrong is its last event, `Failed`."""
    try:
        yield from _begin(command, controls)
    except NstmError as error:
        yield Failed(controls.run_id, getattr(error, "field", None), str(error))
    except Exception as error:  # noqa: BLE001 -- the other parts go on, and the user is told
        yield Failed(controls.run_id, None, in_one_sentence(error))


def may_begin_anew(command: Mapping[str, Any]) -> bool:
    """Whether a part can do without the one before it."""
    return bool(command.get("or_anew", False))


def _begin(command: Mapping[str, Any], controls: Controls) -> Generator[Event, None, None]:
    if command["do"] == "tile":
        from napari_nstm.run.tiled.run import run_tile

        return run_tile(command["store"], command["index"], controls, device=command.get("device"))
    from napari_nstm.run.batch import run_job

    anew = may_begin_anew(command)
    return run_job(command["job"], command["base_dir"], controls, overwrite=command["overwrite"], or_anew=anew)
