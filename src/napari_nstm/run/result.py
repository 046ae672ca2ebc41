"""What a run gives back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.errors import StoreError
from napari_nstm.core.events import Finished, Status
from napari_nstm.io.store import StoredResult, open_result


@dataclass(frozen=True)
class Result:
    """What a run gave; arrays are read from its store when they are asked for.

    Parameters
    ----------
    path
        The store.
    status, message
        How the run ended.
    times_ms
        Moments of `reconstruction` and `motion_um`.
    loss
        Loss of every step, in units of the normalised measurement, squared.
    """

    path: Path
    status: Status
    message: str
    times_ms: tuple[float, ...]
    loss: NDArray[np.float64]

    @classmethod
    def of(cls, stored: StoredResult, status: Status, message: str) -> Result:
        """Return what the run of a store gave."""
        return cls(stored.path, status, message, stored.times_ms, np.asarray(stored.record.losses))

    @cached_property
    def reconstruction(self) -> NDArray[np.float32]:
        """(t, c, [z,] y, x) in physical units."""
        return np.asarray(self.open().reconstruction)

    @cached_property
    def motion_um(self) -> NDArray[np.float32]:
        """U since the first frame, (t, component, [z,] y, x), in um."""
        return np.asarray(self.open().motion_um)

    @cached_property
    def conventional(self) -> NDArray[np.float32]:
        """What the frames give if nothing moved: (c, [z,] y, x) in physical units."""
        stored = self.open().conventional
        if stored is None:
            raise StoreError(f"{self.path} holds no conventional reconstruction.")
        return stored

    def open(self) -> StoredResult:
        """Open the store, which renders scene and motion at any time."""
        return open_result(self.path)


def done_before(stored: StoredResult, run_id: str) -> Finished:
    """Say of a run that came to its end before that nothing is left to be done."""
    status: Status = "diverged" if stored.status == "diverged" else "finished"
    result = Result.of(stored, status, stored.record.message)
    return Finished(run_id, status, str(stored.path), "It was done before.", result)
