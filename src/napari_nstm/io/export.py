"""Results as files that other programs read: one function for each format."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_nstm.io._atomic import replace
from napari_nstm.io._exporting import Progress, Stop, check_target, counted, not_written
from napari_nstm.io.provenance import export_job, export_provenance
from napari_nstm.io.result import StoredResult
from napari_nstm.io.tables import export_vectors_csv, export_vectors_npz

__all__ = ["export_job", "export_ome_tiff", "export_provenance", "export_vectors_csv", "export_vectors_npz"]

_BIG = 3_900_000_000  # bytes; classic TIFF ends at 4 GiB


def export_ome_tiff(
    result: StoredResult,
    path: str | Path,
    *,
    overwrite: bool = False,
    on_progress: Progress | None = None,
    should_stop: Stop | None = None,
) -> Path:
    """Write the reconstruction as OME-TIFF: float32, uncompressed, axes (t, z, c, y, x), calibrated.

    Every plane carries its time, because moments need not be evenly spaced; the time increment is their mean
    distance. Of a region every plane carries its place in the whole field as well. Programs that know no OME find the
    pixel size in the resolution tags, and planes in ImageJ's order (channels, then z, then t), uncompressed and without
    gaps. ImageJ's own description is not written: it would have to stand where OME's does.

    Parameters
    ----------
    result
        The result.
    path
        A file ending in .tif or .tiff.
    overwrite
        Replace an existing file.
    on_progress
        Called with the moments done, and in all.
    should_stop
        Asked before each moment; true cancels and leaves no file.

    Raises
    ------
    CancelledError
        If it was cancelled.
    InputError
        If the path is taken or cannot be written; field `out`.
    StoreError
        If the result holds nothing to show.
    """
    import tifffile

    target = Path(path)
    check_target(target, (".tif", ".tiff"), "a file ending in .ome.tif or .tif", overwrite=overwrite)
    result.check_there()
    stack = result.reconstruction
    planes = 1 if stack.ndim == 4 else stack.shape[2]
    shape = (stack.shape[0], planes, stack.shape[1], *stack.shape[-2:])
    beside = target.with_name(f".{target.name}.part")
    try:
        tifffile.imwrite(
            beside,
            _planes(result, on_progress, should_stop),
            shape=shape,
            dtype=np.float32,
            ome=True,
            bigtiff=int(np.prod(shape)) * 4 > _BIG,
            photometric="minisblack",
            # Pixels per centimetre.
            resolution=(1e4 / result.pixel_size_um[-1], 1e4 / result.pixel_size_um[-2]),
            resolutionunit="CENTIMETER",
            metadata=_metadata(result, shape),
        )
        replace(beside, target)
    except OSError as error:
        raise not_written(target, error) from error
    finally:
        beside.unlink(missing_ok=True)
    return target


def _planes(
    result: StoredResult, on_progress: Progress | None, should_stop: Stop | None
) -> Iterator[NDArray[np.float32]]:
    stack = result.reconstruction
    for index, _ in counted(result.times_ms, on_progress, should_stop):
        frame = np.asarray(stack[index], np.float32)  # one moment in memory at a time
        volume = frame[None] if frame.ndim == 3 else np.moveaxis(frame, 0, 1)
        for plane in volume:
            yield from plane
    result.check_there()


def _metadata(result: StoredResult, shape: tuple[int, ...]) -> dict[str, Any]:
    times, sizes = result.times_ms, result.pixel_size_um
    per_moment = shape[1] * shape[2]
    metadata: dict[str, Any] = {
        "axes": "TZCYX",
        "Name": result.path.stem,
        "PhysicalSizeX": sizes[-1],
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": sizes[-2],
        "PhysicalSizeYUnit": "µm",
        "Description": ", ".join(f"{c.name} in {c.unit}" if c.unit else c.name for c in result.channels),
        "Channel": {"Name": [c.name for c in result.channels]},
        "Plane": {
            "DeltaT": [time for time in times for _ in range(per_moment)],
            "DeltaTUnit": ["ms"] * (len(times) * per_moment),
        },
    }
    if any(result.origin_um):
        for axis, origin in zip("ZYX"[-len(sizes) :], result.origin_um, strict=True):
            n = len(times) * per_moment
            metadata["Plane"] |= {f"Position{axis}": [origin] * n, f"Position{axis}Unit": ["µm"] * n}
    if len(sizes) == 3:
        metadata |= {"PhysicalSizeZ": sizes[0], "PhysicalSizeZUnit": "µm"}
    if len(times) > 1:
        metadata |= {"TimeIncrement": (times[-1] - times[0]) / (len(times) - 1), "TimeIncrementUnit": "ms"}
    return metadata
