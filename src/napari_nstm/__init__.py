"""Neural space-time model for dynamic multi-shot imaging.

The public interface is small: `reconstruct` and `iter_reconstruct` run a job,
`open_result` reads a store. Importing the package loads neither jax nor Qt.
"""

from __future__ import annotations

from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_nstm.core.settings import Job
    from napari_nstm.io.store import open_result
    from napari_nstm.run.reconstruct import Result, iter_reconstruct, reconstruct

__version__ = _version("napari-nstm")
__all__ = ["Job", "Result", "__version__", "iter_reconstruct", "open_result", "reconstruct"]

_HOMES = {
    "Job": "napari_nstm.core.settings",
    "Result": "napari_nstm.run.reconstruct",
    "iter_reconstruct": "napari_nstm.run.reconstruct",
    "open_result": "napari_nstm.io.store",
    "reconstruct": "napari_nstm.run.reconstruct",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
