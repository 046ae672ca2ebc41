"""How far tiles differ where they overlap: an image of the whole field, and the numbers in words."""

import numpy as np
from napari.types import LayerDataTuple

from napari_nstm._qt.layers.result import LARGE_BYTES
from napari_nstm._qt.raw_layer import KEY, units_of
from napari_nstm.core.errors import StoreError
from napari_nstm.io.channels import looked_at
from napari_nstm.io.result import StoredResult

VIEW = "seams"

_LARGEST_SHARE = 99.5  # percentile of what is not 0 that has full colour
_LEAST_SHARE = 1e-3  # of the grey levels: full colour means no less, or rounding would look like a seam
_MOTION = "motion_um"  # as the store has it


def has_seams(stored: StoredResult) -> bool:
    """Whether there are seams to be shown; reads nothing."""
    return bool(stored.record.seam_rms) and stored.status != "running"


def seams_layer(stored: StoredResult, name: str, limits: tuple[float, float]) -> LayerDataTuple:
    """Make an image layer of the channel that is looked at; may run in any thread.

    Parameters
    ----------
    stored
        A result in tiles.
    name
        What the user knows it as.
    limits
        Values of the channel that is looked at that are shown black and white.

    Raises
    ------
    StoreError
        If no tiles overlap.
    """
    seams = stored.seams
    if seams is None:
        raise StoreError("This result has no seams: its field is one tile.")
    channel = _shown(stored)
    data = seams[channel]
    data = data.compute() if data.nbytes <= LARGE_BYTES else data
    values = np.asarray(data[..., :: _thinning(data.shape[-2]), :: _thinning(data.shape[-1])])
    values = values[np.isfinite(values) & (values > 0)]
    largest = float(np.percentile(values, _LARGEST_SHARE)) if values.size else 0.0
    axes = "zyx"[-data.ndim :]
    attributes = {
        "name": f"seams — {name}",
        "scale": stored.pixel_size_um,
        "translate": stored.origin_um,
        "units": units_of(axes),
        "axis_labels": tuple(axes),
        "colormap": "inferno",
        "contrast_limits": (0.0, max(largest, _LEAST_SHARE * (limits[1] - limits[0]))),
        "interpolation2d": "nearest",
        "metadata": {
            KEY: {
                "kind": "view",
                "view": VIEW,
                "unit": stored.channels[channel].unit,
                "store": str(stored.path),
                "run_id": stored.record.run_id,
                "time_text": "root mean square over the moments",
            }
        },
    }
    return data, attributes, "image"


def seams_note(stored: StoredResult, limits: tuple[float, float]) -> str:
    """Say how far tiles differ, with units.

    Parameters
    ----------
    stored
        A result in tiles.
    limits
        Values of the channel that is looked at that are shown black and white.
    """
    rms, shown = stored.record.seam_rms, stored.channels[_shown(stored)].name
    parts = []
    for channel in stored.channels:
        if channel.name in rms:
            share = 100 * rms[channel.name] / (limits[1] - limits[0])
            of_range = f" ({share:.2g} % of the grey levels)" if channel.name == shown else ""
            parts.append(f"{channel.name} {f'{rms[channel.name]:.2g} {channel.unit}'.strip()}{of_range}")
    if _MOTION in rms:
        parts.append(f"motion {rms[_MOTION]:.2g} µm")
    return (
        f"How far tiles differ where they overlap, before they are blended: {shown} is shown, black where they agree. "
        f"Root mean square: {', '.join(parts)}."
    )


def _shown(stored: StoredResult) -> int:
    return looked_at([channel.name for channel in stored.channels])[-1]


def _thinning(n: int) -> int:
    return max(1, n // 2048)
