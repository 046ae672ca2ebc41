"""The commands that read a result: movie, export, info."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from napari_nstm.cli.interrupt import Interrupt
from napari_nstm.cli.progress import Counter
from napari_nstm.core.errors import InputError


def check_new_file(path: Path, overwrite: bool, field: str) -> None:
    """Refuse to write over a file that was not meant, or into a folder that is not there."""
    if path.is_dir():
        raise InputError(field, f"{path}, which is a folder", "a file")
    if path.exists() and not overwrite:
        raise InputError(field, f"{path}, which exists already", "another path, or --overwrite")
    if not path.absolute().parent.is_dir():
        raise InputError(field, f"{path}, whose folder does not exist", "a path in a folder that exists")


def make_movie(store: Path, out: Path, **options: Any) -> int:
    """Write a movie and return the exit status; Ctrl-C leaves none."""
    from napari_nstm.io.movie import write_movie
    from napari_nstm.io.store import open_result

    result = open_result(store)
    console = Console(highlight=False)
    with Counter(console, "Movie") as counter, Interrupt(counter.say, "Stopping; no movie is written.") as interrupt:
        info = write_movie(result, out, on_progress=counter.show, should_stop=interrupt, **options)
    if info.cancelled:
        return 130
    for notice in info.notices:
        counter.say(notice)
    counter.say(f"{out}: {info.n_frames} frames of {info.size[0]} x {info.size[1]}, {info.duration_s:.1f} s.")
    return 0


def describe_store(path: Path) -> str:
    """Say what a result is and how it was made."""
    from napari_nstm.io.store import describe

    return describe(path)


def describe_installation() -> str:
    """Say versions, modalities and devices."""
    import jax

    from napari_nstm.fit.device import pick_device
    from napari_nstm.imaging.registry import modality_names
    from napari_nstm.run.environment import versions

    kinds = [f"{device.platform} {device.id} ({device.device_kind})" for device in jax.devices()]
    rows = {
        "versions": ", ".join(f"{name} {number}" for name, number in versions().items()),
        "modalities": ", ".join(modality_names()),
        "devices": ", ".join(kinds),
        "device: auto": pick_device("auto")[1],
    }
    width = max(map(len, rows))
    return "\n".join(f"{name:<{width}}  {text}" for name, text in rows.items())
