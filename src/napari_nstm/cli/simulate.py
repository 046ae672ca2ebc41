"""The command `simulate`: files of a known moving sample."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.errors import InputError
from napari_nstm.core.settings import FitRequest, Job, MotionKind, OutputSettings
from napari_nstm.imaging import registry
from napari_nstm.imaging.base import Simulation, SimulationRequest
from napari_nstm.io.raw import read_raw

FILES = ("raw.tif", "truth.tif", "truth_motion.npy", "job.yml")


def simulation_request(
    motion: str,
    displacement: float,
    size: int,
    noise: float,
    seed: int,
    choices: Mapping[str, str | None],
    further: Sequence[str],
) -> SimulationRequest:
    """Check what the command line says.

    Raises
    ------
    InputError
        Names the option at fault.
    """
    motions = get_args(MotionKind)
    if motion not in motions:
        raise InputError("--motion", repr(motion), ", ".join(motions[:-1]) + f" or {motions[-1]}")
    for option, number in (("--displacement", displacement), ("--noise", noise)):
        if not (math.isfinite(number) and number >= 0):
            raise InputError(option, f"{number:g}", "a number that is not negative")
    if size < 1:
        raise InputError("--size", str(size), "a number of pixels")
    if not 0 <= seed < 2**31:
        raise InputError("--seed", str(seed), "a whole number from 0 to 2147483647")
    options = {name: value for name, value in choices.items() if value is not None}
    for text in further:
        name, separator, value = text.partition("=")
        if not separator:
            raise InputError("--option", repr(text), "NAME=VALUE")
        options[name] = value
    return SimulationRequest(cast(MotionKind, motion), displacement, size, noise, seed, options)


def simulate_to(modality_name: str, request: SimulationRequest, folder: Path, *, overwrite: bool = False) -> Path:
    """Simulate and write `FILES` into a folder; returns the folder.

    Raises
    ------
    InputError
        If the modality knows no such choice, or there are files already.
    """
    simulation = run_simulation(modality_name, request)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError("--out", f"{folder}, which cannot be made ({error.strerror})", "a folder") from error
    there = [name for name in FILES if (folder / name).exists()]
    if there and not overwrite:
        raise InputError("--out", f"{folder}, which holds {there[0]} already", "another folder, or --overwrite")
    write_simulation(simulation, modality_name, folder)
    return folder


def run_simulation(modality_name: str, request: SimulationRequest) -> Simulation:
    """Simulate; raises InputError for a choice that the modality does not know."""
    modality = registry.modality(modality_name)
    known, extras = modality.simulation_options, dict(request.extras)
    for name, value in request.options.items():
        if name not in known:
            takes = " or ".join(known) if known else f"no further choice for {modality_name}"
            raise InputError("--option", f"{name}={value}", takes)
        if not known[name]:
            extras[name] = read_raw(Path(value).expanduser(), field=f"--option {name}")[0]
        elif value not in known[name]:
            raise InputError(f"--{name}", repr(value), " or ".join(known[name]))
    return modality.simulate(replace(request, extras=extras))


def write_simulation(simulation: Simulation, modality_name: str, folder: Path) -> None:
    """Write raw frames, truth, true motion and the job that reconstructs the frames."""
    from napari_nstm.run.job import dump_job

    pixel_size = (simulation.settings.pixel_size_um,) * (simulation.raw.ndim - 1)
    raw_axes = registry.modality(modality_name).raw_axes.upper()
    first = raw_axes[0] if raw_axes[0] in "TC" else "T"
    _write_tiff(folder / "raw.tif", simulation.raw, first + "ZYX"[-(simulation.raw.ndim - 1) :], pixel_size)
    paths = registry.modality(modality_name).array_paths(simulation.settings)
    for name, array in simulation.extras.items():
        _write_tiff(folder / paths[name], array, "CYX"[-array.ndim :], pixel_size[-2:])
    space = "ZYX"[-(simulation.truth.ndim - 2) :]
    _write_tiff(folder / "truth.tif", simulation.truth, "TC" + space, simulation.truth_pixel_size_um or pixel_size)
    np.save(folder / "truth_motion.npy", simulation.motion_px, allow_pickle=False)
    job = Job(
        nstm=1,
        modality=modality_name,
        raw="raw.tif",
        acquisition=simulation.settings.model_dump(mode="json", exclude_none=True),
        fit=FitRequest(preset="fast", seed=0),
        output=OutputSettings(path="result.zarr"),
    )
    (folder / "job.yml").write_text(dump_job(job), encoding="utf-8")


def _write_tiff(path: Path, array: NDArray[Any], axes: str, pixel_size_um: tuple[float, ...]) -> None:
    import tifffile

    sizes = dict(zip(axes[-len(pixel_size_um) :], pixel_size_um, strict=True))
    size = {f"PhysicalSize{axis}": length for axis, length in sizes.items()}
    units = {f"PhysicalSize{axis}Unit": "µm" for axis in sizes}
    # OME: axes and pixel size travel with the file, and napari and Fiji read them.
    tifffile.imwrite(path, array, ome=True, metadata={"axes": axes, **size, **units})
