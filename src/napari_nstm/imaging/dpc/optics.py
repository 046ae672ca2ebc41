"""The optics of DPC: pupil, sources and weak-object transfer functions.

A source point at the frequency s lights the object o = exp(-mu + i phi) with the plane wave
exp(+2 pi i s.r). The objective passes the frequencies in its pupil P, and the detector adds up the
intensities of all source points:

    I(r) = sum_s S(s) |F^-1{P F{o exp(2 pi i s.r)}}|^2

With o = 1 - mu + i phi to first order, A(f) = sum_s S(s) P*(s) P(s + f) and the undisturbed intensity
DC = sum_s S |P|^2, the contrast I/DC - 1 has the spectrum Hu mu^ + Hp phi^ with

    Hu(f) = -[A(f) + A*(-f)] / DC,    Hp(f) = i [A(f) - A*(-f)] / DC

For the real pupil of an ideal objective Hu is real and even, Hp imaginary and odd. The transfer functions
were given by Tian and Waller, Opt. Express 23, 11394 (2015); signs here follow from the sum above.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import map_coordinates

from napari_nstm.imaging.dpc.settings import DpcSettings
from napari_nstm.imaging.fourier import resize_spectrum

Float = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Optics:
    """Objective and illumination.

    Parameters
    ----------
    wavelength_um
        Wavelength in um.
    na_objective, na_illumination, na_illumination_inner
        Numerical apertures: of the objective, and of the source's outer and inner edge.
    angles_deg
        Middle of the lit half, one per frame of an acquisition: degrees from +fx towards +fy (y downwards).
    patterns
        Measured source intensities (frame, fy, fx) in place of halves; None for halves.
    patterns_na_extent
        Numerical aperture at the patterns' first and last rows and columns.
    """

    wavelength_um: float
    na_objective: float
    na_illumination: float
    na_illumination_inner: float = 0.0
    angles_deg: tuple[float, ...] = ()
    patterns: NDArray[Any] | None = None
    patterns_na_extent: float = 0.0

    @classmethod
    def from_settings(cls, settings: DpcSettings, patterns: NDArray[Any] | None = None) -> Optics:
        """Take the optics from the settings, with the measured source patterns where they ask for them."""
        return cls(
            settings.wavelength_um,
            settings.na_objective,
            settings.na_illumination,
            settings.na_illumination_inner,
            settings.source_angles_deg,
            patterns if settings.source == "measured" else None,
            settings.source_patterns_na_extent or 0.0,
        )

    @property
    def n_conditions(self) -> int:
        """Frames of one acquisition."""
        return len(self.angles_deg) if self.patterns is None else len(self.patterns)

    @property
    def pupil_radius(self) -> float:
        """Highest frequency that the objective passes, cycles per um."""
        return self.na_objective / self.wavelength_um

    @property
    def source_radius(self) -> float:
        """Highest frequency of the source that reaches the detector directly, cycles per um."""
        return min(self.na_illumination, self.na_objective) / self.wavelength_um

    @property
    def cutoff(self) -> float:
        """Highest frequency of a weak object that shows in the frames, cycles per um."""
        return self.pupil_radius + self.source_radius


def _disc(fy: Float, fx: Float, radius: float, spacing: tuple[float, float]) -> Float:
    # Inside 1, outside 0, with an edge as wide as one sample in the direction of the radius.
    rho = np.hypot(fy, fx)
    along = np.hypot(fy * spacing[0], fx * spacing[1])
    width = np.divide(along, rho, out=np.full_like(rho, max(spacing)), where=rho > 0)
    return np.asarray(np.clip(0.5 + (radius - rho) / width, 0, 1))


def pupil(optics: Optics, fy: Float, fx: Float, spacing: tuple[float, float]) -> Float:
    """Return the objective's pupil at frequencies (fy, fx), cycles per um.

    Parameters
    ----------
    optics
        The optics.
    fy, fx
        Frequencies, arrays of one shape.
    spacing
        Distance between frequency samples (fy, fx): the width of the soft edge.
    """
    return _disc(fy, fx, optics.pupil_radius, spacing)


def source(optics: Optics, condition: int, fy: Float, fx: Float, spacing: tuple[float, float]) -> Float:
    """Return the source's intensity in one frame of an acquisition at frequencies (fy, fx), cycles per um.

    On the dividing line of a half disc it is one half. Parameters as in `pupil`.
    """
    if optics.patterns is not None:
        pattern = np.asarray(optics.patterns[condition], np.float64)
        extent = optics.patterns_na_extent / optics.wavelength_um
        rows = (fy / extent + 1) / 2 * (pattern.shape[0] - 1)
        columns = (fx / extent + 1) / 2 * (pattern.shape[1] - 1)
        return np.asarray(map_coordinates(pattern, [rows, columns], order=1, mode="constant", cval=0.0))
    outer = _disc(fy, fx, optics.na_illumination / optics.wavelength_um, spacing)
    inner_radius = optics.na_illumination_inner / optics.wavelength_um
    # A difference, not a product: an annulus thinner than a sample keeps its area.
    ring = outer - _disc(fy, fx, inner_radius, spacing) if inner_radius > 0 else outer
    angle = math.radians(optics.angles_deg[condition])
    toward_y, toward_x = math.sin(angle), math.cos(angle)
    width = math.hypot(toward_y * spacing[0], toward_x * spacing[1])
    lit = np.clip(0.5 + (fy * toward_y + fx * toward_x) / width, 0, 1)
    return np.asarray(ring * lit)


@dataclass(frozen=True)
class TransferFunctions:
    """Weak-object transfer functions of one acquisition's frames.

    Parameters
    ----------
    absorption
        Hu, (frame, fy, fx), real and even, zero frequency first.
    phase
        The imaginary part of Hp, per rad, (frame, fy, fx), odd: Hp = i * phase.
    """

    absorption: NDArray[np.float32]
    phase: NDArray[np.float32]

    def half_plane(self) -> TransferFunctions:
        """Return the part that real transforms (`rfft2`) use: (frame, fy, fx >= 0)."""
        n = self.absorption.shape[-1] // 2 + 1
        return TransferFunctions(
            np.ascontiguousarray(self.absorption[..., :n]), np.ascontiguousarray(self.phase[..., :n])
        )


def transfer_functions(optics: Optics, shape: tuple[int, int], pixel_size_um: float) -> TransferFunctions:
    """Compute the transfer functions of a periodic field.

    They are computed on as many frequencies as the optics pass, whatever the field's pixel, and then
    cropped or filled with zeros: so nothing wraps around where the optics pass more than the pixel samples,
    and all levels of a pyramid share the same values.

    Parameters
    ----------
    optics
        The optics.
    shape
        Samples of the field (y, x).
    pixel_size_um
        Distance between the field's samples, in um.
    """
    spacing = (1 / (shape[0] * pixel_size_um), 1 / (shape[1] * pixel_size_um))
    enough = [fft.next_fast_len(2 * (math.ceil(optics.cutoff / df) + 2) + 1, real=True) for df in spacing]
    fy, fx = np.meshgrid(*(fft.fftfreq(n, 1 / (n * df)) for n, df in zip(enough, spacing, strict=True)), indexing="ij")
    P = pupil(optics, fy, fx, spacing)
    spectrum_P = fft.rfft2(P)
    Hu, Hp = [], []
    for condition in range(optics.n_conditions):
        S = source(optics, condition, fy, fx, spacing)
        A = fft.irfft2(np.conj(fft.rfft2(S * P)) * spectrum_P, s=P.shape)
        A_mirrored = np.roll(A[::-1, ::-1], (1, 1), (0, 1))
        DC = float(np.sum(S * P**2))
        Hu.append(-(A + A_mirrored) / DC)
        Hp.append((A - A_mirrored) / DC)
    return TransferFunctions(
        resize_spectrum(np.asarray(Hu, np.float32), shape), resize_spectrum(np.asarray(Hp, np.float32), shape)
    )
