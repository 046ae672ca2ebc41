"""Clean images of a moving fluorescent sample under stripes, from a grid finer than a result's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from napari_nstm.imaging.sim.optics import SimOptics, given_vectors, middle_px, stripes
from napari_nstm.imaging.sim.otf import OtfTable, depths_of
from napari_nstm.imaging.sim.prepare import depths as order_depths
from napari_nstm.imaging.sim.settings import Sim3dSettings, SimSettings
from napari_nstm.imaging.sim.theory import theory_2d, theory_3d
from napari_nstm.phantoms.fluorescence import FluorescentTarget, render
from napari_nstm.phantoms.motions import KnownMotion

Float = NDArray[np.float32]

# Samples per raw pixel: more than a result has, so that its grid is put to the test.
_FINE = {2: 4, 3: 3}
_SAMPLES_ALONG_Z = 4
# Raw pixels around the field; the sample ends inside the field, so that nothing wraps around into it.
_BORDER_PX = 24


def moment(
    target: FluorescentTarget,
    motion: KnownMotion,
    t: float,
    shape: tuple[int, ...],
    spacing_px: tuple[float, ...],
    origin_px: tuple[float, ...] | None = None,
    samples: int = 2,
) -> Float:
    """Return the mean density over each sample of a grid at time t in [-1, 1]; parameters as in `render`."""
    return render(
        target,
        shape,
        spacing_px,
        lambda at: motion.pull_back(at, t),
        samples=samples,
        origin_px=origin_px,
        samples_along_z=_SAMPLES_ALONG_Z,
    )


class Camera:
    """A microscope that looks at a moving sample.

    Parameters
    ----------
    target, motion
        The sample; positions in raw pixels and planes.
    field
        Raw pixels of a frame, ([z,] y, x).
    settings
        With stripes, phases and depths.
    """

    def __init__(
        self, target: FluorescentTarget, motion: KnownMotion, field: tuple[int, ...], settings: SimSettings
    ) -> None:
        self._target, self._motion, self._settings, self._field = target, motion, settings, field
        self._fine = _FINE[len(field)]
        self._extent = [fft.next_fast_len(n + 2 * _BORDER_PX, real=True) for n in field[-2:]]
        # Twice as many planes: light from the first reaches the last from one side only.
        self._planes: tuple[int, ...] = (2 * field[0],) if len(field) == 3 else ()
        optics, vectors = SimOptics.from_settings(settings), given_vectors(settings)
        if vectors is None:
            raise ValueError("a simulation needs stripes that are given")
        self._vectors = vectors
        self._table: OtfTable = theory_2d(optics, settings.n_orders)
        if isinstance(settings, Sim3dSettings):
            depths = depths_of(2 * field[0], settings.plane_spacing_um)
            self._table = theory_3d(optics, vectors, settings.n_orders, depths)
        everywhere = np.stack(np.meshgrid(*(np.linspace(0, n - 1, 9) for n in field), indexing="ij"))
        moved = [
            np.abs(motion.displacement(everywhere.astype(np.float32), t)[-2:]).max() for t in np.linspace(-1, 1, 33)
        ]
        self._room_px = min(_BORDER_PX, math.ceil(max(moved)) + 1)
        pixel = settings.pixel_size_um
        ky, kx = (fft.fftfreq(n, pixel) for n in self._extent)
        self._kr = np.hypot(ky[:, None], kx[: self._extent[1] // 2 + 1])
        offsets = [np.arange(self._fine * n) / self._fine - _BORDER_PX for n in self._extent]
        self._um = [(at - m) * pixel for at, m in zip(offsets, middle_px(field), strict=True)]

    def image(self, t: float, shot: int) -> NDArray[np.floating[Any]]:
        """Return the image at time t of a shot (orientation by orientation): ([z,] y, x) raw pixels."""
        settings = self._settings
        orientation = shot // settings.n_phases
        phase = (settings.phases_rad or ())[shot]
        depths = order_depths(settings)[orientation]
        density = self._density(t)
        y, x = self._um[0][:, None], self._um[1][None]
        total: Any = 0.0
        for order, depth in enumerate(depths):
            one = np.zeros(len(depths))
            one[order] = depth
            light = stripes(self._vectors[orientation], phase, one, y, x).astype(np.float32)
            total = total + self._spectrum(density * light) * self._table.transfer(order, orientation, self._kr)
        ndim = len(self._field)
        image = fft.irfftn(total, s=(*self._planes, *self._extent), axes=tuple(range(-ndim, 0)))
        borders = (0, _BORDER_PX, _BORDER_PX)[-ndim:]
        return np.asarray(image[tuple(slice(b, b + n) for b, n in zip(borders, self._field, strict=True))])

    def _density(self, t: float) -> Float:
        # Only where the sample can be: it ends inside the field, and does not move further than this.
        fine, room = 1 / self._fine, self._room_px
        planes = self._field[:-2]
        shape = (*planes, *(self._fine * (n + 2 * room) for n in self._field[-2:]))
        spacing, origin = (*(1.0 for _ in planes), fine, fine), (*(0.0 for _ in planes), -float(room), -float(room))
        inside = moment(self._target, self._motion, t, shape, spacing, origin, samples=1)
        before = self._fine * (_BORDER_PX - room)
        lateral = [(before, self._fine * n - before - m) for n, m in zip(self._extent, shape[-2:], strict=True)]
        axial = [(0, n - m) for n, m in zip(self._planes, planes, strict=True)]
        return np.pad(inside, [*axial, *lateral])

    def _spectrum(self, lit: Float) -> NDArray[Any]:
        """Return the raw grid's share of the spectrum of a product on the fine grid."""
        rows, columns = self._extent
        keep = np.concatenate([np.arange(math.ceil(rows / 2)), np.arange(-(rows // 2), 0)])
        spectrum = fft.rfft2(lit)[..., keep, : columns // 2 + 1] / self._fine**2
        return np.asarray(fft.fft(spectrum, axis=-3) if self._planes else spectrum)
