"""A simulated raw image of a moving scene, with the truth: every moment convolved as a whole, rows picked from each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from napari_nstm.core.errors import InputError
from napari_nstm.core.warp import positions
from napari_nstm.imaging.base import Simulation, SimulationRequest
from napari_nstm.imaging.diffusercam.layout import DiffuserCamLayout, diffusercam_layout
from napari_nstm.imaging.diffusercam.modality import N_MOMENTS, DiffuserCam
from napari_nstm.imaging.diffusercam.prepare import binned, psf_of
from napari_nstm.imaging.diffusercam.settings import ROLLING, DiffuserCamSettings, Shutter
from napari_nstm.imaging.diffusercam.shutter import rolling_shutter
from napari_nstm.phantoms.caustic import caustic_psf
from napari_nstm.phantoms.motions import KnownMotion, known_motion
from napari_nstm.phantoms.scenes import Scene, ball, hand, text

Float = NDArray[np.float32]

PEAK_COUNTS = 10_000.0
"""Counts of the brightest pixel without noise, above the offset."""
OFFSET_COUNTS = 100.0
_PSF_PEAK_COUNTS = 50_000.0
_LEAST_PX = 80  # a scene of 32 along its shorter side
_SCENES: Mapping[str, Callable[..., Scene]] = {"hand": hand, "ball": ball, "text": text}

# The sCMOS camera of Cao et al. 2024 (27.52 us a row, exposure 1,320 us), 4 x 4 pixels averaged.
_ROW_TIME_US = 110.08
_EXPOSURE_US = 1320.0
_PIXEL_UM = 26.0


def simulate(request: SimulationRequest) -> Simulation:
    """Simulate one raw image.

    Parameters
    ----------
    request
        `size` is the width of the sensor in pixels, its height three quarters of that; options `target`, `shutter`,
        `colours`, and `psf` (in `extras`: a measured one, which is averaged to the sensor's size).

    Raises
    ------
    InputError
        If the field is too small, an option is unknown, or the PSF has no such size.
    """
    if request.size < _LEAST_PX:
        raise InputError("size", f"{request.size}", f"{_LEAST_PX} pixels or more")
    options = request.options
    target = _known(options, "target", tuple(_SCENES))
    shutter = cast(Shutter, _known(options, "shutter", ROLLING))
    is_rgb = _known(options, "colours", ("grey", "rgb")) == "rgb"
    sensor = (round(0.75 * request.size), request.size)
    psf = _psf(request, sensor)
    settings = DiffuserCamSettings(
        pixel_size_um=_PIXEL_UM, psf="psf.tif", shutter=shutter, row_time_us=_ROW_TIME_US, exposure_us=_EXPOSURE_US
    )
    layout = diffusercam_layout((3 if is_rgb else 1, *sensor), settings)
    field = cast("tuple[int, int]", layout.grid.shape)
    moments = np.linspace(-1, 1, N_MOMENTS)
    motion = known_motion(request.motion, field, request.displacement_px, moments, request.seed or None)
    scene = _SCENES[target](field, seed=request.seed)

    image = _exposed(scene, motion, psf, layout, settings, is_rgb=is_rgb)
    scale = PEAK_COUNTS / float(image.max())
    noise = np.random.default_rng(request.seed).normal(0, request.noise * PEAK_COUNTS, image.shape)
    counts = np.clip(np.rint(scale * image + noise + OFFSET_COUNTS), 0, np.iinfo(np.uint16).max)
    where = positions(field)
    truth = [np.float32(scale) * _moment(scene, motion, float(t), field, is_rgb=is_rgb) for t in moments]
    moved = [motion.displacement(where, float(t)) for t in moments]
    stored_psf = np.rint(psf * (_PSF_PEAK_COUNTS / psf.max()) + OFFSET_COUNTS).astype(np.uint16)
    return Simulation(
        counts.astype(np.uint16),
        np.stack(truth).astype(np.float32),
        np.stack(moved).astype(np.float32),
        settings,
        layout.grid.pixel_size_um,
        {"psf": stored_psf},
    )


def _exposed(
    scene: Scene,
    motion: KnownMotion,
    psf: NDArray[np.float64],
    layout: DiffuserCamLayout,
    settings: DiffuserCamSettings,
    *,
    is_rgb: bool,
) -> NDArray[np.float64]:
    """Expose the rows: (colour, y, x), for each row time the whole field, as the sensor would see it."""
    height, width = layout.sensor
    finest = rolling_shutter(height, settings.model_copy(update={"time_step_rows": 1.0}))
    size = (layout.transform_height, layout.transform_length)
    transfer = fft.rfft2(psf, size)
    top, left = layout.centre
    image = np.zeros((3 if is_rgb else 1, height, width))
    for t, share in zip(finest.times, finest.weights.T, strict=True):
        now = _moment(scene, motion, float(t), cast("tuple[int, int]", layout.grid.shape), is_rgb=is_rgb)
        whole = fft.irfft2(fft.rfft2(now, size) * transfer, size)
        image += share[:, None] * whole[:, top : top + height, left : left + width]
    return image


def _moment(scene: Scene, motion: KnownMotion, t: float, field: tuple[int, int], *, is_rgb: bool) -> Float:
    """Draw the scene at a time: (colour, y, x)."""
    at = positions(field)
    at = at + motion.pull_back(at, t)
    brightness = scene.density(at)[None]
    return brightness * scene.colour(at) if is_rgb else brightness


def _psf(request: SimulationRequest, sensor: tuple[int, int]) -> NDArray[np.float64]:
    """Return the PSF of a point, (y, x), whose sum is 1: measured where there is one, drawn otherwise."""
    if "psf" not in request.extras:
        return caustic_psf(sensor, seed=request.seed).astype(np.float64)
    measured = psf_of(request.extras).mean(axis=0)
    factor = measured.shape[1] // sensor[1]
    if factor < 1 or tuple(n // factor for n in measured.shape) != sensor:
        got, takes = (" x ".join(map(str, size)) for size in (measured.shape, sensor))
        raise InputError("psf", f"a PSF of {got} pixels", f"{takes} pixels for this size, or a whole multiple")
    smaller = binned(measured - measured[:5, :5].mean(), factor).astype(np.float64)
    smaller = np.maximum(smaller, 0)
    return np.asarray(smaller / smaller.sum())


def _known(options: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    value = options.get(name, DiffuserCam.simulation_options[name][0])
    if value not in choices:
        raise InputError(name, repr(value), " or ".join(choices))
    return value
