"""Opening a result store with napari: `File > Open`, drag and drop, or `viewer.open`."""

from collections.abc import Callable
from pathlib import Path

from napari import current_viewer
from napari.types import LayerDataTuple

from napari_nstm._qt.layers.compare import bind_comparison
from napari_nstm._qt.layers.result import read_result, result_layers
from napari_nstm._qt.layers.time_text import show_times
from napari_nstm.io.result import is_store

Reader = Callable[[str | list[str]], list[LayerDataTuple]]


def get_reader(path: str | list[str]) -> Reader | None:
    """Return what reads `path`, or None where no result of this plugin lies there.

    Parameters
    ----------
    path
        What napari was asked to open; results are no stacks: of several paths each is opened on its own.
    """
    if isinstance(path, list):
        return None
    return read_store if is_store(Path(path)) else None


def read_store(path: str | list[str]) -> list[LayerDataTuple]:
    """Read a result as layers, named after its folder, and let the viewer tell their times.

    Raises
    ------
    InputError, StoreError
        If the store is damaged, or holds nothing yet.
    """
    folder = Path(path if isinstance(path, str) else path[0]).absolute()
    layers = result_layers(read_result(folder), folder.name.removesuffix(".zarr"))
    viewer = current_viewer()
    if viewer is not None:
        show_times(viewer)
        bind_comparison(viewer)
    return layers
