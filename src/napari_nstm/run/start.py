"""Another run whose scene and motion a fit starts from: an acquisition before this one, or a coarser fit of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_nstm.core.errors import InputError
from napari_nstm.core.settings import FitSettings, Job
from napari_nstm.io.result import StoredResult
from napari_nstm.run.given_motion import open_other
from napari_nstm.run.job import job_from_mapping
from napari_nstm.run.scripts import with_paths

if TYPE_CHECKING:
    from napari_nstm.core.grids import Grid
    from napari_nstm.fit.solver import Solver
    from napari_nstm.fit.state import FitState

_FIELD = "fit.start_from"
_SAME_PX = 0.01  # positions and sizes are stored with all their digits; frames may say them with fewer


@dataclass(frozen=True)
class Start:
    """A result to start from.

    Parameters
    ----------
    stored
        The result.
    """

    stored: StoredResult

    def state(self, solver: Solver, state: FitState, origin_um: tuple[float, ...] = ()) -> FitState:
        """Return a fit's first state with this result's scene and motion.

        The motion is that of the result, or rests where it ended or began: whichever renders the frames best.

        Parameters
        ----------
        solver, state
            The fit, and the state it would begin with otherwise.
        origin_um
            Where its sample 0 lies in the whole field, ([z,] y, x); empty: at 0.

        Raises
        ------
        InputError
            If the result is of another field, or of another model.
        """
        from napari_nstm.fit.start import possible_starts, start_from

        record, grid = self.stored.record, solver.problem(0).grid
        self._check_field(grid, origin_um)
        try:
            old = FitSettings.model_validate(record.fit)
            started = start_from(state, self.stored.weights(), old, solver.settings)
        except ValueError as error:
            raise InputError(_FIELD, f"{self.stored.path} ({error})", "a result of the same model") from error
        states = list(possible_starts(started, solver.settings))
        return min(states, key=solver.misfit) if len(states) > 1 else started

    def _check_field(self, grid: Grid, origin_um: tuple[float, ...]) -> None:
        record = self.stored.record
        mine = _words(grid.shape, grid.pixel_size_um, tuple(channel.name for channel in grid.channels))
        theirs = _words(record.shape, record.pixel_size_um, tuple(channel.name for channel in record.channels))
        if mine != theirs:
            raise InputError(_FIELD, f"a result of {theirs}", f"one of {mine}")
        way_um = np.subtract(origin_um or 0.0, self.stored.origin_um)
        if np.any(np.abs(way_um) > _SAME_PX * np.asarray(grid.pixel_size_um)):
            way = ", ".join(f"{-n:.4g}" for n in way_um)
            raise InputError(_FIELD, f"a result of a region {way} um away", "one of the same region of the frames")
        # What lies around the field belongs to the model: cells divide it all.
        canvas, motion = self.stored.canvas(), self.stored.motion()
        away = [np.subtract(canvas.origin_px, grid.canvas_origin), np.subtract(motion.origin_px, grid.padded_origin)]
        if np.any(np.abs(away) > _SAME_PX):
            raise InputError(_FIELD, "a result with another border around the field", "one of the same optics")


def read_start(path: Path) -> Start:
    """Open the result that a fit starts from.

    Raises
    ------
    InputError
        If there is none, or its run has not come to its end; field `fit.start_from`.
    """

    def check(stored: StoredResult) -> None:
        if stored.is_tiled:
            raise InputError(_FIELD, f"{path}, which is in tiles", "a result of a field that was fitted at once")
        if stored.status != "finished":
            # Before its end fine levels are let in only in part.
            raise InputError(_FIELD, f"{path}, whose run has not finished", "a result whose run has come to its end")
        stored.check_shown()

    return Start(open_other(path, _FIELD, check))


def with_finer_motion(store: Path, out: Path) -> Job:
    """Return the job of a result once more, with one more and finer level of motion, to start from that result.

    Parameters
    ----------
    store, out
        The result, and where the new one goes.

    Raises
    ------
    InputError
        If there is no such result, or its run has not finished.
    """
    from napari_nstm.fit.start import with_finer_motion as finer

    path = store.absolute()
    stored = read_start(path).stored
    job = with_paths(stored.job, path, relative=False)
    encoding = finer(FitSettings.model_validate(stored.record.fit).motion_encoding)
    content = job.model_dump(mode="json", exclude_unset=True)
    fit = content.get("fit", {})
    advanced = {**fit.get("advanced", {}), "motion_encoding": encoding.model_dump(mode="json")}
    advanced["coarse_to_fine"] = 0.0  # of the same frames: what is coarse was found
    content["fit"] = {**fit, "start_from": str(path), "advanced": advanced}
    content["output"] = {**content.get("output", {}), "path": str(out.absolute())}
    return job_from_mapping(content)


def _words(shape: tuple[int, ...], pixel_size_um: tuple[float, ...], channels: tuple[str, ...]) -> str:
    size = " x ".join(map(str, shape))
    return f"{size} pixels of {' x '.join(f'{p:.4g}' for p in pixel_size_um)} um with {', '.join(channels)}"
