"""The commands that read a result: movie, export, trajectories, info."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from napari_nstm.cli.fitting import INTERRUPTED
from napari_nstm.cli.interrupt import Interrupt
from napari_nstm.cli.progress import Counter
from napari_nstm.core.errors import CancelledError, InputError

_SUFFIXES = {
    "ome-tiff": ".ome.tif",
    "vectors-csv": "-motion.csv",
    "vectors-npz": "-motion.npz",
    "job": "-job.yml",
    "provenance": "-provenance.json",
}
_EXPORT_OPTIONS = {"every_px": "--every-px"}
_MOVIE_OPTIONS = {"size": "width", "comparison": "compare"}  # where they are not called as the parameter at fault


def make_movie(store: Path, out: Path, **options: Any) -> int:
    """Write a movie and return the exit status; Ctrl-C leaves none."""
    from napari_nstm.io.movie import write_movie
    from napari_nstm.io.store import open_result

    result = open_result(store)
    console = Console(highlight=False)
    with Counter(console, "Movie") as counter, Interrupt(counter.say, "Stopping; no movie is written.") as interrupt:
        try:
            info = write_movie(result, out, on_progress=counter.show, should_stop=interrupt, **options)
        except InputError as error:
            raise InputError(_MOVIE_OPTIONS.get(error.field, error.field), error.got, error.takes) from error
    if info.cancelled:
        return INTERRUPTED
    for notice in info.notices:
        counter.say(notice)
    which = "the first of " if info.path != out else ""  # of numbered pictures
    frames = f"{info.n_frames} frames of {info.size[0]} x {info.size[1]}"
    counter.say(f"{info.path}: {which}{frames}, {info.duration_s:.1f} s.")
    return 0


def export_store(store: Path, to: str, out: Path | None, *, overwrite: bool, every_px: int | None = None) -> int:
    """Write a result in another format, say where, and return the exit status; Ctrl-C leaves no file."""
    from napari_nstm.io import export
    from napari_nstm.io.store import open_result

    if to not in _SUFFIXES:
        raise InputError("--to", repr(to), " or ".join(_SUFFIXES))
    if every_px is not None and not to.startswith("vectors"):
        raise InputError("--every-px", f"{every_px} with {to}", "vectors: other formats have all pixels")
    result = open_result(store)
    target = out or result.path.with_name(result.path.stem + _SUFFIXES[to])
    console = Console(highlight=False)
    with Counter(console, "Export") as counter, Interrupt(counter.say, "Stopping; no file is written.") as interrupt:
        watched: dict[str, Any] = {"overwrite": overwrite, "on_progress": counter.show, "should_stop": interrupt}
        try:
            if to == "vectors-csv":
                export.export_vectors_csv(result, target, every_px=every_px, **watched)
            elif to == "vectors-npz":
                export.export_vectors_npz(result, target, every_px=every_px, **watched)
            elif to == "job":
                export.export_job(result, target, overwrite=overwrite)
            elif to == "provenance":
                export.export_provenance(result, target, overwrite=overwrite)
            else:
                export.export_ome_tiff(result, target, **watched)
        except CancelledError:
            return INTERRUPTED
        except InputError as error:
            raise InputError(_EXPORT_OPTIONS.get(error.field, error.field), error.got, error.takes) from error
    counter.say(str(target))
    return 0


def follow_points(store: Path, points: Path, out: Path, *, moments: int | None, overwrite: bool) -> list[str]:
    """Follow points of a table, write their tracks, and return what is to be said."""
    import numpy as np

    from napari_nstm.io.store import open_result
    from napari_nstm.io.tracks import check_table, read_points, write_tracks

    if moments is not None and moments < 1:
        raise InputError("--moments", str(moments), "a number of at least 1")
    check_table(out, overwrite=overwrite)
    result = open_result(store)
    times = result.frame_times_ms
    span = (times[0], times[-1]) if moments != 1 else (times[0], times[0])
    wanted = None if moments is None else np.linspace(*span, moments).tolist()
    found = result.trajectories(*read_points(points, result), times_ms=wanted)
    write_tracks(found, out, overwrite=overwrite)
    n_tracks, n_moments = found.positions_um.shape[:2]
    return [*found.notices, f"{out}: {n_tracks} tracks of {n_moments} moments."]


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
