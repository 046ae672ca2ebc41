"""Raw data that are in no file travel to the child as .npy files in its folder, which it maps."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import ChildError
from napari_nstm.run.protocol import write_array


@dataclass(frozen=True)
class SharedRaw:
    """Raw data that a child has at hand, for any number of jobs.

    Parameters
    ----------
    folder
        Folder of the child that has them.
    content
        What a command says of them.
    """

    folder: Path
    content: Mapping[str, Any]

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files."""
        return (Path(self.content["frames"]), *map(Path, self.content["extras"].values()))


def write_raw(folder: Path, raw: RawData, name: str | None = None) -> SharedRaw:
    """Write raw data into a child's folder; their files begin with `name`.

    Raises
    ------
    ChildError
        If the disk is full, or the folder is gone; nothing is left of them then.
    """
    begin = name or f"shared-{uuid4().hex[:12]}"

    def path_of(part: str) -> str:
        return str(folder / f"{begin}-{part}.npy")

    # A setting's name may hold what no file name may: extras are numbered.
    extras = {setting: path_of(f"extra-{i}") for i, setting in enumerate(raw.extras)}
    frames = path_of("raw")
    content = {"frames": frames, "extras": extras, "pixel_size_um": raw.pixel_size_um, "name": raw.name}
    shared = SharedRaw(folder, content)
    try:
        write_array(Path(frames), np.asarray(raw.frames))
        for setting, path in extras.items():
            write_array(Path(path), np.asarray(raw.extras[setting]))
    except OSError as error:
        remove_raw(shared)
        reason = error.strerror or type(error).__name__
        raise ChildError(f"The raw data could not be handed to the fitting process: {folder}: {reason}.") from error
    return shared


def remove_raw(shared: SharedRaw) -> None:
    """Remove the files of raw data; a run that has begun keeps what it mapped."""
    for path in shared.paths:
        with suppress(OSError):  # Windows: still mapped; it goes with the folder
            path.unlink(missing_ok=True)


def read_raw(content: Mapping[str, Any]) -> RawData:
    """Map raw data, in the child.

    Raises
    ------
    ChildError
        If they were released before.
    """
    size = content.get("pixel_size_um")
    try:
        extras = {name: _load(path) for name, path in content.get("extras", {}).items()}
        return RawData(_load(content["frames"]), extras, None if size is None else tuple(size), content["name"])
    except FileNotFoundError as error:
        raise ChildError("The raw data were released before their run began.") from error


def _load(path: str) -> NDArray[Any]:
    array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return array
