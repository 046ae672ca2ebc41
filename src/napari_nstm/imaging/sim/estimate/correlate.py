"""Images whose spectra show the stripes: products of two filtered copies of a frame.

A frame's spectrum is D(k) = H(k) sum_a c_a exp(i a phi) S(k - a p) + noise with the sample's spectrum S, the vector p
of order 1 and c_0 = 1, c_{+-m} = m_m / 2. So D(k + m p) correlates with D(k), at the phase m phi, and the sum of
W(k) conj(D(k)) D(k + m p) over k finds phase and vector in a single frame, wherever the sample moves meanwhile
(Wicker, Opt. Express 21, 24692 (2013)). Taking the sample for a random one of power spectrum P, with V the power
spectrum of frames, the weights that tell stripes from the sample's own correlation best (the slope of the
likelihood, to first order in the depths) are

    W = F(k) G(k + m p),    F = H P / V,    G = H / V,

and of real images the same with F and G exchanged. They whiten: all frequencies count, not the strongest alone.
And they part: the sum, at any m p, is the transform of the product of the images whose spectra are F D and G D.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from napari_nstm.core.errors import InputError
from napari_nstm.imaging.sim.estimate.sampling import Sampling, whole
from napari_nstm.imaging.sim.frames import SimFrames
from napari_nstm.imaging.sim.optics import SimOptics
from napari_nstm.imaging.sim.otf import OtfTable
from napari_nstm.imaging.sim.settings import SimSettings
from napari_nstm.imaging.sim.theory import theory_2d

Float = NDArray[np.floating[Any]]

_EDGE = 1 / 16  # part of the field, at each side, over which the window falls
LEAST_H = 0.03
_SMOOTH_PX = 1.5  # of frequency
_BEYOND = (1.05, 1.3)  # of the cutoff: only noise, and near enough to have the power of that within
_MOST_PLANES = 24
_MOST_ACQUISITIONS = 4
_BRIGHTER = 2.0
_LEAST_POWER = 1e-9  # over the square of the brightest pixel: rounding errors have less


@dataclass(frozen=True)
class Filters:
    """What the two filters F and G are made of, half spectra as of `rfft2`.

    Parameters
    ----------
    transfer
        H of even light in focus; 0 where it passes too little.
    power
        V, smooth, not under the noise.
    noise
        Power of the noise alone.
    """

    transfer: Float
    power: Float
    noise: float

    def pair(self) -> tuple[Float, Float]:
        """Return F and G."""
        return filter_pair(self.transfer, self.power, self.noise)


def filter_pair(transfer: Float, power: Float, noise: float) -> tuple[Float, Float]:
    """Return F = H P / V, with V = H^2 P + noise, and G = H / V in units of the noise; 0 where H is 0."""
    passed = transfer > 0
    signal = np.clip(1 - noise / power, 0, None)
    F = np.where(passed, signal / np.where(passed, transfer, 1), 0)
    return F, np.where(passed, transfer * (noise / power), 0)


class Correlator:
    """Frames, ready to be searched for stripes.

    Parameters
    ----------
    frames
        (frame, [z,] y, x).
    settings
        Pixel size, optics, numbers of orientations.
    table
        The OTF.

    Raises
    ------
    InputError
        If the images show nothing at all.
    """

    def __init__(self, frames: SimFrames, settings: SimSettings, table: OtfTable) -> None:
        images = frames.images if frames.images.ndim == 4 else frames.images[:, None]
        self.sampling = Sampling((images.shape[-2], images.shape[-1]), settings.pixel_size_um)
        self.frames = frames
        self._images = images[:, _planes_with_most(images)]
        self.n_planes = self._images.shape[1]
        rows, columns = (_taper(n) for n in self.sampling.shape)
        self._window = np.asarray(rows[:, None] * columns, np.float32)
        self._gains = _gains(self._images)
        self.cutoff_per_um = SimOptics.from_settings(settings).cutoff
        kr = np.hypot(*self.sampling.frequencies())
        H = table.lateral(0, 0, kr)[..., in_focus_index(table)]
        self.powers = np.concatenate([self.power(d) for d in range(settings.n_orientations)])
        if self.powers.max() <= _LEAST_POWER * float(np.abs(images).max()) ** 2:
            raise InputError("raw", "images that are even all over", "images of a sample under stripes")
        noise = _noise(self.powers.mean(axis=0), kr, self.cutoff_per_um)
        # An orientation's own stripes stand out of its spectrum; they must not count as noise.
        smooth = np.min([_smoothed(power, self.sampling) for power in self.powers], axis=0)
        self.filters = Filters(np.where(H > LEAST_H, H, 0), np.maximum(smooth, noise), noise)

    def group(self, acquisition: int, orientation: int) -> NDArray[np.int64]:
        """Return the frames of one orientation of one acquisition, in the order of phases."""
        which = (self.frames.acquisition == acquisition) & (self.frames.orientation == orientation)
        found = np.flatnonzero(which)
        return found[np.argsort(self.frames.phase[found])]

    @property
    def acquisitions(self) -> NDArray[np.int64]:
        """The acquisitions that there are."""
        return np.unique(self.frames.acquisition)

    @property
    def some_acquisitions(self) -> NDArray[np.int64]:
        """Those that vectors and depths are taken from: they do not change."""
        return self.acquisitions[:_MOST_ACQUISITIONS]

    def products(self, which: NDArray[np.int64], mask: Float | None = None) -> NDArray[np.float32]:
        """Return the product of the filtered images of some frames, the mean over planes: (frame, y, x).

        `mask` (half spectrum) multiplies both filters.
        """
        F, G = (np.asarray(part if mask is None else part * mask, np.float32) for part in self.filters.pair())
        shape = self.sampling.shape
        found = np.empty((len(which), *shape), np.float32)
        for row, frame in enumerate(which):
            D = self._spectra(frame)
            found[row] = np.mean(fft.irfft2(F * D, shape) * fft.irfft2(G * D, shape), axis=0)
        return found

    def _spectra(self, frame: int) -> NDArray[np.complexfloating[Any, Any]]:
        image = self._images[frame] * np.float32(self._gains[frame])
        return np.asarray(fft.rfft2((image - image.mean(axis=(-2, -1), keepdims=True)) * self._window))

    def power(self, orientation: int, n_kz: int = 1) -> Float:
        """Return the mean power spectrum of an orientation's frames, half as of `rfft2`: (kz, ky, kx).

        One axial frequency: the mean over planes. More: of the volume, filled up with planes of 0, at the same mean.
        """
        which = np.concatenate([self.group(a, orientation) for a in self.some_acquisitions])
        total = np.zeros((n_kz, self.sampling.shape[0], self.sampling.shape[1] // 2 + 1))
        for frame in which:
            D = self._spectra(frame)
            if n_kz > 1:
                D = fft.fft(D, n_kz, axis=0) / math.sqrt(len(D))
                total += np.abs(D) ** 2
            else:
                total += np.mean(np.abs(D) ** 2, axis=0)
        return np.asarray(total / len(which))


def ideal_correlator(frames: SimFrames, settings: SimSettings) -> Correlator:
    """Prepare frames for a search with the OTF of an ideal objective: it need not be exact to show stripes."""
    return Correlator(frames, settings, theory_2d(SimOptics.from_settings(settings), settings.n_orders))


def in_focus_index(table: OtfTable) -> int:
    """Return which of a table's depths is the focus."""
    return int(np.argmin(np.abs(table.depths_um)))


def _taper(n: int) -> Float:
    edge = max(1, round(_EDGE * n))
    rise = np.sin(np.pi / 2 * (np.arange(edge) + 0.5) / edge) ** 2
    return np.concatenate([rise, np.ones(n - 2 * edge), rise[::-1]])


def _planes_with_most(images: Float) -> slice:
    """Return a run of planes that differ most from even light: those that the sample is in."""
    if images.shape[1] <= _MOST_PLANES:
        return slice(None)
    contrast = images[:: max(1, len(images) // 15)].var(axis=(0, 2, 3))
    first = int(np.argmax(np.convolve(contrast, np.ones(_MOST_PLANES), "valid")))
    return slice(first, first + _MOST_PLANES)


def _gains(images: Float) -> Float:
    """Return factors that make all frames equally contrasted: bleaching must not look like stripes.

    Contrast does not depend on the camera's offset, which need not be known well.
    """
    contrast = np.sqrt([np.mean(np.var(frame, axis=(-2, -1), dtype=np.float64)) for frame in images])
    middle = float(np.median(contrast))
    if middle <= 0:
        return np.ones(len(contrast))
    return np.asarray(middle / np.clip(contrast, middle / _BRIGHTER, middle * _BRIGHTER))


def _noise(power: Float, kr: Float, cutoff: float) -> float:
    beyond = (kr > _BEYOND[0] * cutoff) & (kr < _BEYOND[1] * cutoff)
    if np.count_nonzero(beyond) < 50:
        # The pixels sample no frequency that the objective does not pass.
        beyond = kr >= np.quantile(kr, 0.95)
    return max(float(np.median(power[beyond])), 1e-12 * float(power.max()), 1e-30)


def _smoothed(power: Float, sampling: Sampling) -> Float:
    columns = sampling.shape[1]
    return np.asarray(ndimage.gaussian_filter(whole(power, columns), _SMOOTH_PX, mode="wrap")[:, : columns // 2 + 1])
