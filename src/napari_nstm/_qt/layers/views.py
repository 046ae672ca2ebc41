"""Views of a result that show a whole acquisition, or a whole volume, at once; made in any thread."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from napari.types import LayerDataTuple
from numpy.typing import NDArray

from napari_nstm._qt.layers.legend import above, color_bar, swatches
from napari_nstm._qt.layers.result import first_frame, on_slider
from napari_nstm._qt.raw_layer import KEY, units_of
from napari_nstm.analysis.spectra import side_by_side
from napari_nstm.analysis.views import colored_by_depth, colored_by_time, depth_colors, moments_of, time_colors
from napari_nstm.core.data import Circle, Drawing
from napari_nstm.core.errors import NstmError
from napari_nstm.imaging.region import cropped
from napari_nstm.imaging.registry import modality
from napari_nstm.io.channels import brightness
from napari_nstm.io.result import StoredResult
from napari_nstm.io.text import format_length, time_texts
from napari_nstm.run.job import acquisition_settings
from napari_nstm.run.plan import read_frames

Limits = tuple[float, float]

_AVERAGED = 32  # raw images whose spectra are averaged, where they are not of one plane


def time_view(stored: StoredResult, name: str, limits: Limits, n: int = 3) -> list[LayerDataTuple]:
    """Make an image in which each of n moments has a colour of its own, and its key.

    Parameters
    ----------
    stored
        The result; its last channel is shown, or the mean of its colours.
    name
        What the user knows it as.
    limits
        Values shown black and full.
    n
        Number of moments.
    """
    times = moments_of(stored.frame_times_ms, n)
    moments = np.stack([_seen(stored, stored.scene_at(time)) for time in times])
    words = time_texts(list(times))
    size = stored.pixel_size_um
    axes = "zyx"[-len(size) :]
    picture = {
        "name": f"coloured by time — {name}",
        "scale": size,
        "translate": stored.origin_um,
        "units": units_of(axes),
        "axis_labels": tuple(axes),
        "rgb": True,
        "metadata": _about(stored, "time", time_text=f"{n} moments, {words[0]} to {words[-1]}"),
    }
    key = swatches(time_colors(n), words)
    return [(colored_by_time(moments, limits), picture, "image"), _key(key, stored, "coloured by time", name)]


def depth_view(stored: StoredResult, name: str, limits: Limits) -> list[LayerDataTuple]:
    """Make an image of every moment in which the hue is the depth of what is brightest, and its key.

    Parameters are those of `time_view`; the result is a volume.
    """
    volumes = (_seen(stored, np.asarray(moment)) for moment in stored.reconstruction)
    colored = colored_by_depth(volumes, limits)
    planes, (depth, *plane) = stored.shape[0], stored.pixel_size_um
    first, step = on_slider(stored.times_ms, stored.frame_times_ms, first_frame(stored.record.job))
    top, *corner = stored.origin_um
    picture = {
        "name": f"coloured by depth — {name}",
        # One sample along z that is as thick as the stack: it is seen at every plane.
        "scale": (step, planes * depth, *plane),
        "translate": (first, top + (planes - 1) / 2 * depth, *corner),
        "units": units_of("tzyx"),
        "axis_labels": tuple("tzyx"),
        "rgb": True,
        "metadata": _about(stored, "depth", times_ms=list(stored.times_ms)),
    }
    key = color_bar(depth_colors(planes), "z = 0", format_length((planes - 1) * depth))
    return [(colored[:, None], picture, "image"), _key(key, stored, "coloured by depth", name)]


def spectra_view(stored: StoredResult, name: str) -> Drawing:
    """Draw the spectra of raw frames, conventional reconstruction and reconstruction on one scale.

    Raw frames that are no longer where they were are left out. Parameters are those of `time_view`.
    """
    used = modality(stored.job.modality)
    settings = acquisition_settings(stored.job, used)
    images: dict[str, tuple[NDArray[Any], float]] = {}
    missing = ""
    try:
        raw = read_frames(stored.job, used, settings, None, stored.path)
        if stored.job.region is not None:
            raw, _ = cropped(used, raw, settings, stored.job.region)
        frames = raw.frames
        images["raw frames"] = _one_image(frames, len(stored.frame_times_ms)), settings.pixel_size_um
    except NstmError as error:
        missing = f"\nThe raw frames are not shown ({error})."
    if stored.conventional is not None:
        images["conventional"] = _seen(stored, stored.conventional), stored.pixel_size_um[-1]
    middle = (stored.frame_times_ms[0] + stored.frame_times_ms[-1]) / 2
    images["reconstruction"] = _seen(stored, stored.scene_at(middle)), stored.pixel_size_um[-1]
    circles: tuple[Circle, ...] = getattr(used, "support_circles", lambda _: ())(settings)
    drawing = side_by_side(images, circles, f"Spectra of {name}")
    return Drawing(**{**drawing.__dict__, "note": drawing.note + missing})


def _one_image(frames: NDArray[np.generic], n_frames: int) -> NDArray[np.floating[Any]]:
    """Return the mean of the frames, or, where they are planes of volumes, some of them."""
    if len(frames) == n_frames:
        return np.asarray(frames.mean(axis=0, dtype=np.float64))
    some = np.unique(np.linspace(0, len(frames) - 1, _AVERAGED).astype(int))
    return np.asarray(frames[some], np.float32)


def _seen(stored: StoredResult, scene: NDArray[Any]) -> NDArray[np.float32]:
    # Of tiles that have not begun nothing is known.
    return brightness(np.nan_to_num(scene), [channel.name for channel in stored.channels])


def _key(picture: NDArray[np.uint8], stored: StoredResult, what: str, name: str) -> LayerDataTuple:
    attributes = {
        **above(stored.shape, stored.pixel_size_um, stored.origin_um),
        "name": f"{what}, key — {name}",
        "units": units_of("yx"),
        "axis_labels": ("y", "x"),
        "rgb": True,
        "interpolation2d": "linear",
        "metadata": _about(stored, what),
    }
    return picture, attributes, "image"


def _about(stored: StoredResult, view: str, **more: Any) -> Mapping[str, Any]:
    return {KEY: {"kind": "view", "view": view, "store": str(stored.path), "run_id": stored.record.run_id, **more}}
