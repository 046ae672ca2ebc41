"""The residual of a result as a layer: where and when the frames are not explained."""

from typing import Any

import numpy as np
from napari.types import LayerDataTuple
from napari.utils.colormaps import Colormap

from napari_nstm._qt.layers.result import LARGE_BYTES, first_frame
from napari_nstm._qt.raw_layer import KEY, units_of
from napari_nstm.analysis.residuals import MARGIN_PX, ResidualSummary
from napari_nstm.io.result import StoredResult
from napari_nstm.io.text import time_texts

SIGMAS, DEVIATIONS = 4, 3
"""Full colour: so many times the noise; where that is not known, so many times the root mean square."""

# Black where nothing is left, on a canvas that is mostly dark; blue and orange differ for all eyes.
_COLORS = ((0.45, 0.75, 1.0), (0.05, 0.2, 0.5), (0.0, 0.0, 0.0), (0.5, 0.2, 0.0), (1.0, 0.8, 0.4))


def residual_layer(stored: StoredResult, name: str, summary: ResidualSummary, index: int = 0) -> LayerDataTuple:
    """Make an image layer of the residual, in the place of the raw frames.

    Parameters
    ----------
    stored
        The result; it has a residual.
    name
        What the user knows it as.
    summary
        What was found in it.
    index
        Which image is shown where they are the colours of one exposure; otherwise the slider chooses the frame.
    """
    residual = stored.residual
    if residual is None:
        raise ValueError("the result holds no residual")
    data = residual.compute() if residual.nbytes <= LARGE_BYTES else residual
    in_time = is_in_time(stored, len(data))
    size, origin = _pixel_um(stored, data.shape[1:], in_time=in_time), stored.origin_um
    if not in_time:
        # One exposure: nothing of it has a place on the slider.
        data = data[index]
    elif data.ndim == len(size):
        # Planes of a volume, each at its own time: one sample that is as thick as the volume is seen at every plane.
        planes, depth = stored.shape[0], size[0]
        data = data[:, None]
        size = (planes * depth, *size[1:])
        origin = (origin[0] + (planes - 1) / 2 * depth, *origin[1:])
    axes = "t" * in_time + "zyx"[-len(size) :]
    limit = full_color(summary)
    middle = time_texts([summary.times_ms[0]])[0]
    known = {
        "kind": "view",
        "view": "residual",
        "store": str(stored.path),
        "run_id": stored.record.run_id,
        **({"times_ms": list(summary.times_ms)} if in_time else {"time_text": f"one exposure, its middle at {middle}"}),
    }
    attributes = {
        "name": f"residual — {name}",
        "scale": (1.0,) * in_time + size,
        "translate": (float(first_frame(stored.record.job)),) * in_time + origin,
        "units": units_of(axes),
        "axis_labels": tuple(axes),
        "colormap": Colormap(np.asarray(_COLORS), name="nstm residual", display_name="blue, black, orange"),
        "contrast_limits": (-limit, limit),
        "metadata": {KEY: known},
    }
    return data, attributes, "image"


def is_in_time(stored: StoredResult, n_images: int) -> bool:
    """Whether the images of a residual are frames, which the slider counts; not what one exposure gave."""
    return n_images == len(stored.frame_times_ms) > 1


def full_color(summary: ResidualSummary) -> float:
    """Return the residual that has full colour, in units of the normalised frames."""
    if summary.noise is not None:
        return SIGMAS * float(np.sqrt(np.mean(np.square(summary.noise))))
    return DEVIATIONS * summary.overall or 1.0


def residual_note(summary: ResidualSummary) -> str:
    """Say what the colours mean."""
    limit = full_color(summary)
    times = f"{SIGMAS} times the noise" if summary.noise is not None else f"{DEVIATIONS} times the root mean square"
    return (
        "Measured minus rendered: orange is brighter than the result says, blue is darker, black is explained. "
        f"Full colour at {times} (±{100 * limit:.2g} % of what counts as 1). "
        f"The outermost {MARGIN_PX} pixels are not judged."
    )


def _pixel_um(stored: StoredResult, shape: tuple[int, ...], *, in_time: bool) -> tuple[float, ...]:
    """Return the pixel of the frames, axes as the scene has them; in SIM it is larger than that of the scene."""
    size = stored.pixel_size_um
    if not in_time or shape[-2:] == stored.shape[-2:]:
        return size
    acquisition: Any = stored.record.job.get("acquisition", {})
    # Pixels of the scene are rounded up to whole ones: the settings know better than a ratio.
    raw_um = acquisition.get("pixel_size_um") or size[-1] * stored.shape[-1] / shape[-1]
    return (*size[:-2], raw_um, raw_um)
