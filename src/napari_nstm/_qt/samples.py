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
from napari_nstm._qt.form.array_editor import LAYER_PREFIX
from napari_nstm._qt.layers.arrows import arrow_colors, arrow_style, points_for, vectors_in_time
from napari_nstm._qt.layers.result import channel_style
from napari_nstm._qt.layers.time_text import show_times
from napari_nstm._qt.raw_layer import KEY, units_of
from napari_nstm.core.data import RawData
from napari_nstm.core.grids import Channel
from napari_nstm.imaging.base import Modality, Simulation, SimulationRequest
from napari_nstm.imaging.diffusercam import layout as diffusercam_layout
from napari_nstm.imaging.diffusercam.settings import ConstantBackground
from napari_nstm.imaging.diffusercam.simulate import OFFSET_COUNTS
from napari_nstm.imaging.dpc import layout as dpc_layout
from napari_nstm.imaging.registry import modality
from napari_nstm.imaging.sim import layout as sim_layout
from napari_nstm.imaging.sim.frames import arrangement
from napari_nstm.io.arrows import sample_at
from napari_nstm.io.channels import brightness
from napari_nstm.io.draw import contrast_limits

_DPC_SIZE_PX, _DPC_DISPLACEMENT_PX = 256, 6.0
_SIM_SIZE_PX, _SIM_DISPLACEMENT_PX = 128, 4.0
_VOLUME_SIZE_PX, _VOLUME_PLANES, _VOLUME_DISPLACEMENT_PX = 64, 8, 4.0
_NOISE = 0.005
_CAMERA_SIZE_PX, _CAMERA_DISPLACEMENT_PX, _CAMERA_NOISE = 200, 12.0, 0.01
_GAIN = 6  # of the camera in colours: napari shows colours by the whole range of 16 bits
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


def waving_hand() -> list[LayerDataTuple]:
    """Simulate the raw image of a waving hand that a DiffuserCam with a dual shutter takes, and its PSF."""
    request = SimulationRequest("wave", _CAMERA_DISPLACEMENT_PX, _CAMERA_SIZE_PX, _CAMERA_NOISE)
    return _made(_diffusercam, request, "waving hand")


def bouncing_ball() -> list[LayerDataTuple]:
    """Simulate the raw image, in colours, of a bouncing ball, and its PSF."""
    options = {"target": "ball", "colours": "rgb"}
    request = SimulationRequest("bounce", _CAMERA_DISPLACEMENT_PX, _CAMERA_SIZE_PX, _CAMERA_NOISE, options=options)
    return _made(_diffusercam, request, "bouncing ball")


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


def _diffusercam(request: SimulationRequest, name: str) -> list[LayerDataTuple]:
    used = modality("diffusercam")
    simulation = used.simulate(request)
    psf_name = f"PSF — {name}"
    changes: dict[str, Any] = {"psf": f"{LAYER_PREFIX}{psf_name}"}
    if len(simulation.raw) > 1:
        dark = ConstantBackground(value=_GAIN * OFFSET_COUNTS, psf_value=OFFSET_COUNTS)
        raw, truth = _GAIN * simulation.raw, np.float32(_GAIN) * simulation.truth
        simulation = replace(simulation, raw=raw, truth=truth)
        changes["background"] = dark
    simulation = replace(simulation, settings=simulation.settings.model_copy(update=changes))
    times_ms = used.frame_times_ms(RawData(simulation.raw), simulation.settings)
    channels = diffusercam_layout.channels(len(simulation.raw))
    pixel = simulation.settings.pixel_size_um
    psf = simulation.extras["psf"]
    placed = {"units": units_of("yx"), "axis_labels": ("y", "x"), "scale": (pixel, pixel), "visible": False}
    about = {"name": psf_name, "colormap": "gray", "contrast_limits": contrast_limits([psf])}
    made = simulation_layers(simulation, "diffusercam", channels, times_ms, name, simulation.truth_pixel_size_um)
    return [*made[:-1], (psf, {**placed, **about, "metadata": {KEY: {"kind": "array"}}}, "image"), made[-1]]


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
    """Make layers of a simulation: the raw frames (or one image), and below them, hidden, the truth.

    Parameters
    ----------
    simulation
        Frames and truth; raw frames are (frame, [z,] y, x), or (colour, y, x) of one image.
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
    is_one_image = modality(modality_name).raw_axes.startswith("c")
    pixel = simulation.settings.pixel_size_um
    size = tuple(truth_pixel_um) if truth_pixel_um is not None else (pixel,) * (len(axes) - 1)
    names = [channel.name for channel in channels]

    def about(kind: str, **known: Any) -> dict[str, Any]:
        # Planes lie as far apart in the truth as in the frames: only y and x are sampled more finely.
        scale = (1.0, *size[:-2], pixel, pixel) if kind == "raw" else (1.0, *size)
        metadata = {KEY: {"kind": kind, **known, "times_ms": list(times_ms)}}
        first = int(kind == "raw" and is_one_image)  # a raw image has no axis of time
        placed = {"units": units_of(axes[first:]), "axis_labels": tuple(axes[first:]), "scale": scale[first:]}
        return {**placed, "visible": kind == "raw", "metadata": metadata}

    def image(stack: NDArray[Any], name: str, about: dict[str, Any]) -> LayerDataTuple:
        limits = contrast_limits(list(stack))
        return stack, {"colormap": "gray", "contrast_limits": limits, **about, "name": name}, "image"

    truth = [
        image(
            np.ascontiguousarray(simulation.truth[:, index]),
            f"true {channel.name} — {name}",
            {**about("truth", channel=channel.name, unit=channel.unit), **channel_style(names, index)},
        )
        for index, channel in enumerate(channels)
    ]
    arrows, style = _motion(simulation, size, names)
    motion = {**about("truth", unit="pixel", since_ms=times_ms[0]), **style, "name": f"true motion — {name}"}
    acquisition = simulation.settings.model_dump(mode="json", exclude_none=True)
    known = about("raw", modality=modality_name, acquisition=acquisition)
    frames = simulation.raw
    if is_one_image and len(frames) > 1:
        raw: LayerDataTuple = (np.moveaxis(frames, 0, -1), {**known, "name": name, "rgb": True}, "image")
    else:
        raw = image(frames[0] if is_one_image else frames, name, known)
    return [*truth, (arrows, motion, "vectors"), raw]


def _motion(
    simulation: Simulation, pixel_size_um: tuple[float, ...], names: Sequence[str]
) -> tuple[NDArray[Any], dict[str, Any]]:
    """Return the arrows of the true motion, and how they are drawn."""
    motion = simulation.motion_px
    points = points_for(motion.shape[2:], pixel_size_um, len(motion))
    u_px = np.stack([[sample_at(component, points.points_px) for component in moment] for moment in motion])
    visible = points.visible(brightness(simulation.truth[0], names))
    stretch = points.stretch(u_px[..., visible])
    colors = arrow_colors(u_px, visible, shortest_px=points.shortest_px(stretch))
    return vectors_in_time(points, u_px), {**arrow_style(points, stretch), "edge_color": colors.reshape(-1, 4)}
