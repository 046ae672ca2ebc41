"""Sample data: simulated raw frames of moving samples, with what really was there."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from napari import current_viewer
from napari.types import LayerDataTuple
from numpy.typing import NDArray

from napari_nstm._qt.background import wait_for
from napari_nstm._qt.layers.arrows import arrow_colors, arrow_style, points_for, vectors_in_time
from napari_nstm._qt.layers.time_text import show_times
from napari_nstm._qt.raw_layer import KEY, units_of
from napari_nstm.core.data import RawData
from napari_nstm.core.grids import Channel
from napari_nstm.imaging.base import Modality, Simulation, SimulationRequest
from napari_nstm.imaging.dpc import layout as dpc_layout
from napari_nstm.imaging.registry import modality
from napari_nstm.imaging.sim import layout as sim_layout
from napari_nstm.imaging.sim.frames import arrangement
from napari_nstm.io.arrows import sample_at
from napari_nstm.io.draw import contrast_limits

_DPC_SIZE_PX, _DPC_DISPLACEMENT_PX = 256, 6.0
_SIM_SIZE_PX, _SIM_DISPLACEMENT_PX = 128, 4.0
_VOLUME_SIZE_PX, _VOLUME_PLANES, _VOLUME_DISPLACEMENT_PX = 64, 8, 4.0
_NOISE = 0.005
_VOLUME_ORDER = "time, orientation, phase, plane"


def moving_target() -> list[LayerDataTuple]:
    """Simulate a resolution target that swirls while four DPC frames are taken."""
    request = SimulationRequest("swirl", _DPC_DISPLACEMENT_PX, _DPC_SIZE_PX, options={"target": "usaf"})
    return _made(_dpc, request, "moving target")


def moving_cells() -> list[LayerDataTuple]:
    """Simulate cells that turn while four DPC frames are taken."""
    request = SimulationRequest("rotation", _DPC_DISPLACEMENT_PX, _DPC_SIZE_PX, options={"target": "cells"})
    return _made(_dpc, request, "moving cells")


def moving_filaments() -> list[LayerDataTuple]:
    """Simulate filaments that swirl while 15 frames are taken under stripes, which are to be found in the frames."""
    request = SimulationRequest("swirl", _SIM_DISPLACEMENT_PX, _SIM_SIZE_PX, _NOISE, options={"target": "filaments"})
    return _made(_sim, request, "moving filaments")


def moving_tubule() -> list[LayerDataTuple]:
    """Simulate a tubule in a volume, taken 15 times under stripes, which are to be found in the frames.

    The raw layer is (frame, z, y, x), as its result will be.
    """
    options = {"target": "tubule", "planes": str(_VOLUME_PLANES)}
    request = SimulationRequest("bend", _VOLUME_DISPLACEMENT_PX, _VOLUME_SIZE_PX, _NOISE, options=options)
    return _made(_sim3d, request, "moving tubule")


def _made(
    make: Callable[[SimulationRequest, str], list[LayerDataTuple]], request: SimulationRequest, name: str
) -> list[LayerDataTuple]:
    """Make a sample while the window goes on drawing; the viewer it is for tells its times."""
    viewer = current_viewer()
    if viewer is None:
        return make(request, name)
    show_times(viewer)
    viewer.status = f"Simulating frames of the sample “{name}”…"
    layers: list[LayerDataTuple] = wait_for(partial(make, request, name))
    viewer.status = "Ready"
    return layers


def _dpc(request: SimulationRequest, name: str) -> list[LayerDataTuple]:
    used = modality("dpc")
    simulation = used.simulate(request)
    times_ms = used.frame_times_ms(RawData(simulation.raw), simulation.settings)
    return simulation_layers(simulation, "dpc", dpc_layout.CHANNELS, times_ms, name)


def _sim(request: SimulationRequest, name: str) -> list[LayerDataTuple]:
    used = modality("sim")
    simulation = used.simulate(request)
    times_ms = used.frame_times_ms(RawData(simulation.raw), simulation.settings)
    size = sim_layout.sim_layout(simulation.raw.shape[1:], simulation.settings).scene.pixel_size_um
    return simulation_layers(_with_open_settings(simulation, used), "sim", sim_layout.CHANNELS, times_ms, name, size)


def _sim3d(request: SimulationRequest, name: str) -> list[LayerDataTuple]:
    used = modality("sim3d")
    simulation = used.simulate(request)
    stored = arrangement(len(simulation.raw), simulation.settings).images[0]  # (plane, orientation, phase)
    planes, size = len(stored), simulation.raw.shape[1:]
    raw = simulation.raw[np.moveaxis(stored, 0, -1).ravel()].reshape(-1, planes, *size)
    settings = simulation.settings.model_copy(update={"image_order": _VOLUME_ORDER, "n_planes": planes})
    simulation = replace(simulation, raw=raw, settings=settings)
    times_ms = used.frame_times_ms(RawData(raw.reshape(-1, *size)), settings)
    sizes = sim_layout.sim_layout((planes, *size), settings).scene.pixel_size_um
    return simulation_layers(_with_open_settings(simulation, used), "sim3d", sim_layout.CHANNELS, times_ms, name, sizes)


def _with_open_settings(simulation: Simulation, used: Modality) -> Simulation:
    """Take from the settings what can be found in the frames, as of frames from a microscope."""
    left = simulation.settings.model_dump(exclude=set(used.estimates), exclude_unset=True)
    return replace(simulation, settings=used.Settings.model_validate(left))


def simulation_layers(
    simulation: Simulation,
    modality_name: str,
    channels: tuple[Channel, ...],
    times_ms: Sequence[float],
    name: str,
    truth_pixel_um: Sequence[float] | None = None,
) -> list[LayerDataTuple]:
    """Make layers of a simulation: the raw frames, and below them, hidden, the truth.

    Parameters
    ----------
    simulation
        Frames and truth; raw frames are (frame, [z,] y, x).
    modality_name
        Goes into the raw layer's metadata with the settings: the form fills itself in from them.
    channels
        Of the truth.
    times_ms
        Of the frames.
    name
        The raw layer's name.
    truth_pixel_um
        Pixel size of the truth, ([z,] y, x); None: that of the frames.
    """
    axes = "t" + "zyx"[-(simulation.raw.ndim - 1) :]
    pixel = simulation.settings.pixel_size_um
    size = tuple(truth_pixel_um) if truth_pixel_um is not None else (pixel,) * (len(axes) - 1)
    placed = {"units": units_of(axes), "axis_labels": tuple(axes)}

    def about(kind: str, **known: Any) -> dict[str, Any]:
        # Planes lie as far apart in the truth as in the frames: only y and x are sampled more finely.
        scale = (1.0, *size[:-2], pixel, pixel) if kind == "raw" else (1.0, *size)
        metadata = {KEY: {"kind": kind, **known, "times_ms": list(times_ms)}}
        return {**placed, "scale": scale, "visible": kind == "raw", "metadata": metadata}

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
    arrows, style = _motion(simulation, size)
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
