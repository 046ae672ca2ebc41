"""How fast the sample moves, everywhere in the field: an image at every moment."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.types import LayerDataTuple
from napari.utils import Colormap
from numpy.typing import NDArray

from napari_nstm._qt.layers.result import first_frame, on_slider
from napari_nstm._qt.raw_layer import KEY, units_of
from napari_nstm.core.errors import InputError
from napari_nstm.core.warp import positions
from napari_nstm.io.arrows import visible_points
from napari_nstm.io.channels import brightness
from napari_nstm.io.colors import speed_colors
from napari_nstm.io.result import StoredResult

VIEW = "speed"

_AT_MOST = 2**23  # values of a map: some seconds of work
_SMOOTHED = 1 / 20  # distance over which signal counts, of the longer side: as for arrows
_STEPS = 256
_OPACITY = 0.7
_COLORS = np.concatenate([speed_colors(np.linspace(0, 1, _STEPS)) / 255, np.ones((_STEPS, 1))], axis=1)


def speeds_at(stored: StoredResult, times_ms: Sequence[float], index: int, where_px: NDArray[Any]) -> NDArray[Any]:
    """Return the speed in um/s of what is at places at a moment: a central difference, one-sided at the ends.

    Parameters
    ----------
    stored
        The result.
    times_ms
        Moments, ascending; at least two.
    index
        Of the moment.
    where_px
        (component, ...) in pixels.
    """
    before, after = times_ms[max(index - 1, 0)], times_ms[min(index + 1, len(times_ms) - 1)]
    now = times_ms[index]
    gone = stored.displacement_at(after, now, where_px) - stored.displacement_at(before, now, where_px)
    return np.asarray(np.linalg.norm(gone, axis=0) / ((after - before) / 1000), np.float32)


def speed_layer(
    stored: StoredResult, name: str, times_ms: Sequence[float], hidden_share: float | None = None
) -> LayerDataTuple:
    """Make the image layer of speeds, over the sample as it is at each moment; may run in any thread.

    Parameters
    ----------
    stored
        The result.
    name
        What the user knows it as.
    times_ms
        Moments, ascending.
    hidden_share
        Nothing is shown (NaN) where the signal is under this share of the strongest, as with arrows.

    Raises
    ------
    InputError
        If there is one moment only.
    """
    if len(times_ms) < 2:
        raise InputError("moments", "one", "at least two, for a speed")
    step = _step(stored.shape, len(times_ms))
    shape = tuple(-(-n // step) if k >= len(stored.shape) - 2 else n for k, n in enumerate(stored.shape))
    spacing = (1.0,) * (len(shape) - 2) + (float(step),) * 2
    where = positions(shape, spacing)
    names = [channel.name for channel in stored.channels]
    smoothed = np.max(np.multiply(stored.shape, stored.pixel_size_um)[-2:]) * _SMOOTHED / stored.pixel_size_um
    speed = np.empty((len(times_ms), *shape), np.float32)
    for index, time in enumerate(times_ms):
        speed[index] = speeds_at(stored, times_ms, index, where)
        image = brightness(np.nan_to_num(stored.scene_at(time)), names)
        seen = visible_points(image, where.reshape(len(shape), -1), tuple(smoothed), hidden_share)
        speed[index][~seen.reshape(shape)] = np.nan
    known = speed[np.isfinite(speed)]
    fastest = float(np.percentile(known, 99)) if known.size else 0.0
    first, interval = on_slider(times_ms, stored.frame_times_ms, first_frame(stored.record.job))
    axes = "t" + "zyx"[-len(shape) :]
    size = tuple(s * p for s, p in zip(spacing, stored.pixel_size_um, strict=True))
    attributes = {
        "name": f"speed (µm/s) — {name}",
        "scale": (interval, *size),
        "translate": (first, *stored.origin_um),
        "units": units_of(axes),
        "axis_labels": tuple(axes),
        "colormap": Colormap(_COLORS, name="speed"),
        "contrast_limits": (0.0, fastest or 1.0),
        "opacity": _OPACITY,
        "blending": "translucent_no_depth",
        "interpolation2d": "nearest",  # blurred, NaN would eat into what is known
        "metadata": {
            KEY: {
                "kind": "view",
                "view": VIEW,
                "unit": "um/s",
                "store": str(stored.path),
                "run_id": stored.record.run_id,
                "times_ms": list(times_ms),
            }
        },
    }
    return speed, attributes, "image"


def _step(shape: tuple[int, ...], n_times: int) -> int:
    """Return the distance between samples within the plane, in pixels: motion is smooth."""
    step = 1
    while n_times * np.prod(shape, dtype=float) / step**2 > _AT_MOST:
        step += 1
    return step
