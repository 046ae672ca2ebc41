"""Sample data: simulated raw frames of moving samples, with what really was there."""

from typing import Any

import numpy as np
from napari import current_viewer
from napari.types import LayerDataTuple
from numpy.typing import NDArray

from napari_nstm._qt.layers.arrows import arrow_colors, arrow_style, points_for, vectors_in_time
from napari_nstm._qt.layers.time_text import show_times
from napari_nstm._qt.raw_layer import KEY, units_of
from napari_nstm.core.data import RawData
from napari_nstm.core.grids import Channel
from napari_nstm.imaging.base import Simulation, SimulationRequest
from napari_nstm.imaging.dpc.layout import CHANNELS
from napari_nstm.imaging.registry import modality
from napari_nstm.io.arrows import sample_at
from napari_nstm.io.draw import contrast_limits

_SIZE_PX = 256
_DISPLACEMENT_PX = 6.0


def moving_target() -> list[LayerDataTuple]:
    """Simulate a resolution target that swirls while four DPC frames are taken."""
    request = SimulationRequest("swirl", _DISPLACEMENT_PX, _SIZE_PX, options={"target": "usaf"})
    return _sample("dpc", request, CHANNELS, "moving target")


def moving_cells() -> list[LayerDataTuple]:
    """Simulate cells that turn while four DPC frames are taken."""
    request = SimulationRequest("rotation", _DISPLACEMENT_PX, _SIZE_PX, options={"target": "cells"})
    return _sample("dpc", request, CHANNELS, "moving cells")


def _sample(
    modality_name: str, request: SimulationRequest, channels: tuple[Channel, ...], name: str
) -> list[LayerDataTuple]:
    used = modality(modality_name)
    simulation = used.simulate(request)
    times_ms = list(used.frame_times_ms(RawData(simulation.raw), simulation.settings))
    viewer = current_viewer()
    if viewer is not None:
        show_times(viewer)
    return simulation_layers(simulation, modality_name, channels, times_ms, name)


def simulation_layers(
    simulation: Simulation, modality_name: str, channels: tuple[Channel, ...], times_ms: list[float], name: str
) -> list[LayerDataTuple]:
    """Make layers of a simulation: the raw frames, and below them, hidden, the truth.

    Parameters
    ----------
    simulation
        Frames and truth.
    modality_name
        Goes into the raw layer's metadata with the settings: the form fills itself in from them.
    channels
        Of the truth.
    times_ms
        Of the frames.
    name
        The raw layer's name.
    """
    axes = "t" + "zyx"[-(simulation.raw.ndim - 1) :]
    scale = (1.0, *(simulation.settings.pixel_size_um,) * (len(axes) - 1))
    placed = {"scale": scale, "units": units_of(axes), "axis_labels": tuple(axes)}

    def about(kind: str, **known: Any) -> dict[str, Any]:
        return {**placed, "visible": kind == "raw", "metadata": {KEY: {"kind": kind, **known, "times_ms": times_ms}}}

    def image(stack: NDArray[Any], name: str, about: dict[str, Any]) -> LayerDataTuple:
        limits = contrast_limits(list(stack))
        return stack, {**about, "name": name, "colormap": "gray", "contrast_limits": limits}, "image"

    truth = [
        image(
            np.ascontiguousarray(simulation.truth[:, index]),
            f"true {channel.name} — {name}",
            about("truth", channel=channel.name, unit=channel.unit),
        )
        for index, channel in enumerate(channels)
    ]
    arrows, style = _motion(simulation, scale[1:])
    motion = {**about("truth", unit="pixel", since_ms=times_ms[0]), **style, "name": f"true motion — {name}"}
    acquisition = simulation.settings.model_dump(mode="json", exclude_none=True)
    raw = image(simulation.raw, name, about("raw", modality=modality_name, acquisition=acquisition))
    return [*truth, (arrows, motion, "vectors"), raw]


def _motion(simulation: Simulation, pixel_size_um: tuple[float, ...]) -> tuple[NDArray[Any], dict[str, Any]]:
    """Return the arrows of the true motion, and how they are drawn."""
    motion = simulation.motion_px
    points = points_for(motion.shape[2:], pixel_size_um, len(motion))
    u_px = np.stack([[sample_at(component, points.points_px) for component in moment] for moment in motion])
    stretch = points.stretch(u_px)
    colors = arrow_colors(u_px, points.visible(simulation.truth[0, -1]), shortest_px=points.shortest_px(stretch))
    return vectors_in_time(points, u_px), {**arrow_style(points, stretch), "edge_color": colors.reshape(-1, 4)}
