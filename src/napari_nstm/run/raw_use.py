"""Raw data that a job uses: found, read as far as they are used, and known by their hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError
from napari_nstm.core.settings import AcquisitionSettings, Job
from napari_nstm.imaging.base import Modality
from napari_nstm.io._on_disk import LARGE_BYTES
from napari_nstm.io.raw import open_raw, stored_to_axes

RawInput = RawData | NDArray[Any] | None


def read_frames(job: Job, modality: Modality, settings: AcquisitionSettings, raw: RawInput, base_dir: Path) -> RawData:
    """Read all raw frames and the arrays that the settings name, where they were not given."""
    return _in_memory(open_frames(job, modality, settings, raw, base_dir))


def open_frames(job: Job, modality: Modality, settings: AcquisitionSettings, raw: RawInput, base_dir: Path) -> RawData:
    """Find raw data as `read_frames`, but leave large ones in their files, to be cut before they are read."""
    if raw is None:
        array, axes, pixel_size = open_raw(base_dir / Path(job.raw).expanduser(), job.axes)
        data = RawData(_as_array(array), {}, pixel_size, job.raw)
    else:
        data = raw if isinstance(raw, RawData) else RawData(np.asarray(raw), name=job.raw)
        axes = job.axes
    data = replace(data, frames=_as_array(stored_to_axes(data.frames, axes, modality.raw_axes)))
    missing = {name: path for name, path in modality.array_paths(settings).items() if name not in data.extras}
    extras = {
        name: _as_array(open_raw(base_dir / Path(path).expanduser(), field=f"acquisition.{name}")[0])
        for name, path in missing.items()
    }
    return replace(data, extras={**data.extras, **extras})


def _as_array(stored: Any) -> NDArray[Any]:
    # What stays in its file is sliced as an array is, and read before anything else is done with it.
    array: NDArray[Any] = stored
    return array


def _in_memory(raw: RawData) -> RawData:
    return replace(
        raw,
        frames=np.asarray(raw.frames),
        extras={name: np.asarray(array) for name, array in raw.extras.items()},
    )


def for_use(part: RawData, whole: RawData, *, keep_mapped: bool) -> RawData:
    """Read what is used. Parts of mapped files are copied: a file may be replaced while a run goes on.

    Bytes are brought into this machine's order, which not every method can do without.
    """

    def used(array: Any, of_all: Any) -> NDArray[Any]:
        read = np.asarray(array)
        native = read.dtype.newbyteorder("=")
        if keep_mapped:
            return read
        if array is not of_all and isinstance(_owner(read), np.memmap):
            return np.array(read, native)
        return read.astype(native, copy=False)

    extras = {name: used(array, whole.extras.get(name)) for name, array in part.extras.items()}
    return replace(part, frames=used(part.frames, whole.frames), extras=extras)


def _owner(array: Any) -> Any:
    """Return the array whose memory a view shows."""
    while isinstance(array, np.ndarray) and not isinstance(array, np.memmap) and array.base is not None:
        array = array.base
    return array


def hashes_of_use(job: Job, whole: RawData, used: RawData, asked: Collection[str] = ()) -> dict[str, str]:
    """Hash what a job uses; all of it as well where that is small or asked for.

    Parameters
    ----------
    job
        Its region and frames say what part that is; of one in tiles all counts, since they use it all.
    whole, used
        All raw data, and that part of them.
    asked
        Names of whole arrays that a record has the hashes of.

    Returns
    -------
    dict
        SHA-256 of `raw` and of every further array by the setting's name; of parts as `raw.region` or `raw.frames`.
    """
    if (job.region is None and job.frames is None) or job.compute.in_tiles:
        return hashes_of(whole)
    suffix = "region" if job.region is not None else "frames"
    parts = {"raw": used.frames, **used.extras}
    hashes = {}
    for name, array in {"raw": whole.frames, **whole.extras}.items():
        is_part = np.shape(array) != np.shape(parts[name])
        if not is_part or array.nbytes <= LARGE_BYTES or name in asked:
            hashes[name] = sha256_of(array)
        if is_part:
            hashes[f"{name}.{suffix}"] = sha256_of(parts[name])
    return hashes


def check_unchanged(recorded: Mapping[str, str], found: Mapping[str, str]) -> None:
    """Refuse data that are not those that a run began with.

    Parameters
    ----------
    recorded, found
        SHA-256 as the store has them, and as they are now, by the names of `hashes_of_use`.

    Raises
    ------
    InputError
        Names what has changed, or is gone.
    """
    for name, digest in recorded.items():
        if found.get(name) != digest:
            field = "raw" if name.split(".")[0] == "raw" else f"acquisition.{name}"
            raise InputError(field, "data that have changed since the run began", "the data it began with")


def hashes_of(raw: RawData) -> dict[str, str]:
    """Return the SHA-256 of raw frames and of every further array, by the setting's name."""
    return {name: sha256_of(array) for name, array in {"raw": raw.frames, **raw.extras}.items()}


def sha256_of(array: NDArray[Any]) -> str:
    """Hash values, type and shape of an array; of one that is mapped or in its file an image at a time is read."""
    native = array.dtype.newbyteorder("=")
    digest = hashlib.sha256(f"{native.str}{array.shape}".encode())
    for part in array if array.ndim > 2 else (array,):
        digest.update(np.ascontiguousarray(part, native).data)
    return digest.hexdigest()
