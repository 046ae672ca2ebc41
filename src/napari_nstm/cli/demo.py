"""The command `demo`: everything once, on a sample whose truth is known."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from rich.console import Console

from napari_nstm.analysis.metrics import best_constant_psnr, psnr
from napari_nstm.cli.fitting import reconstruct_job
from napari_nstm.cli.simulate import run_simulation, write_simulation
from napari_nstm.core.errors import InputError
from napari_nstm.imaging.base import Simulation, SimulationRequest
from napari_nstm.io.draw import comparison_picture
from napari_nstm.io.export import export_ome_tiff
from napari_nstm.io.movie import write_movie
from napari_nstm.io.store import StoredResult, open_result

_MODALITY = "dpc"
_MARK = ".napari-nstm-demo"
_MADE = {
    "raw.tif": "the simulated frames",
    "truth.tif": "the sample at every frame, and truth_motion.npy how it moved",
    "job.yml": "what napari-nstm reconstruct runs",
    "result.zarr": "the result",
    "reconstruction.ome.tif": "the same for other programs",
    "comparison.png": "conventional, NSTM and truth side by side",
    "movie.mp4": "conventional and NSTM, with the motion as arrows",
}
_QT_BINDINGS = ("PyQt6", "PySide6", "PyQt5", "PySide2")


def run_demo(folder: Path, *, size: int, device: str, show: bool) -> int:
    """Simulate, reconstruct, draw, and return the exit status."""
    console = Console(highlight=False)

    def say(text: str) -> None:
        console.print(text, markup=False, soft_wrap=True)

    request = SimulationRequest(motion="swirl", displacement_px=6.0, size=size, noise=0.005, seed=0)
    say(
        f"Simulating four frames of {size} x {size} pixels of a sample"
        f" that swirls by up to {request.displacement_px:g} pixels."
    )
    simulation = run_simulation(_MODALITY, request)
    _make_folder(folder)
    write_simulation(simulation, _MODALITY, folder)
    status = reconstruct_job(folder / "job.yml", out=None, preset=None, device=device, overwrite=True)
    if status:
        return status
    say("Drawing a picture and a movie.")
    result = open_result(folder / "result.zarr")
    score = draw(result, simulation, folder)
    say("\n" + score)
    say(f"In {folder.absolute()}:")
    for name, what in _MADE.items():
        say(f"  {name:<24}{what}")
    if show and can_show():
        say("Opening napari.")
        open_napari(result.path)
    return 0


def draw(result: StoredResult, simulation: Simulation, folder: Path) -> str:
    """Draw the comparison and the movie, export, and say how close the results come to the truth."""
    truth = simulation.truth[:, -1]
    found = np.asarray(result.reconstruction[:, -1])
    still = (
        np.zeros_like(truth) if result.conventional is None else np.broadcast_to(result.conventional[-1], truth.shape)
    )
    ours, conventional = psnr(found, truth), psnr(still, truth)
    channel, time_ms = result.channels[-1], result.frame_times_ms[-1]
    # DPC carries no absolute phase: all are shown with the truth's mean, as they are compared.
    level = truth[-1].mean()
    comparison_picture(
        [
            (f"conventional\n{conventional:.1f} dB", still[-1] - still[-1].mean() + level),
            (f"NSTM\n{ours:.1f} dB", found[-1] - found[-1].mean() + level),
            (f"truth\nat {time_ms:g} ms", truth[-1]),
        ],
        folder / "comparison.png",
        pixel_size_um=result.pixel_size_um[-1],
        quantity=f"{channel.name} ({channel.unit})",
        motion=(1, result.displacement_at(time_ms) / np.reshape(result.pixel_size_um, (-1, 1, 1))),
        motion_note=f"since {result.frame_times_ms[0]:g} ms",
    )
    write_movie(result, folder / "movie.mp4", n_frames=50, side_by_side=True, overwrite=True)
    export_ome_tiff(result, folder / "reconstruction.ome.tif", overwrite=True)
    constant = best_constant_psnr(truth)
    return (
        f"PSNR of the {channel.name} against the truth: {ours:.1f} dB; conventional reconstruction of the same frames"
        f" {conventional:.1f} dB; an empty picture {constant:.1f} dB."
    )


def can_show() -> bool:
    """Whether there is a screen, and something that can draw a window on it."""
    if sys.platform.startswith("linux"):
        screen = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    else:
        screen = not os.environ.get("SSH_CONNECTION")
    return screen and any(find_spec(name) for name in _QT_BINDINGS)


def open_napari(path: Path) -> None:
    """Open a result in napari, in a process of its own that this one does not wait for."""
    subprocess.Popen(
        [sys.executable, "-m", "napari", "--plugin", "napari-nstm", str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _make_folder(folder: Path) -> None:
    """Make the demo's folder; one that holds something else is left alone."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / _MARK).exists() and any(folder.iterdir()):
            raise InputError("--out", f"{folder}, which holds other files", "a new folder")
        (folder / _MARK).touch()
    except OSError as error:
        raise InputError("--out", f"{folder}, which cannot be used ({error.strerror})", "a folder") from error
