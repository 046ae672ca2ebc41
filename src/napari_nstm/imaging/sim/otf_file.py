"""OTFs from files: radially averaged, over kr and kz, as cudasirecon's makeotf writes them, and the published arrays.

A file holds H(kr, kz) of every order; its sum over kz is the order in focus. The tables of this package hold
H(kr; depth) = sum over kz of H(kr, kz) exp(2 pi i kz depth).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.interpolate import CubicSpline

from napari_nstm.core.errors import InputError
from napari_nstm.imaging.sim.optics import SimOptics
from napari_nstm.imaging.sim.otf import OtfTable

Complex = NDArray[np.complexfloating[Any, Any]]

_FIELD = "acquisition.otf.path"
# Orders are compared with order 0 up to this share of the cutoff; at kr = 0 the background disturbs them.
_LOW = 0.5
# An order that is this much darker in focus than somewhere out of it has its stripes' dark plane in the focus.
_DARK = 0.1
# Samples of a table per sample of the file.
_FINER = 4


@dataclass(frozen=True)
class _Spectrum:
    """H(kr, kz), (orientation, order, kr, kz), zero kz first, and its steps in cycles per um."""

    values: Complex
    kr_step: float
    kz_step: float

    def at(self, depths_um: tuple[float, ...]) -> Complex:
        """Return H(kr; depth), (orientation, order, kr, depth); 0 further from the focus than the planes measured."""
        n = self.values.shape[-1]
        depths = np.asarray(depths_um)
        waves = np.exp(2j * np.pi * self.kz_step * np.outer(fft.fftfreq(n, 1 / n), depths))
        # A sum over kz repeats itself every 1 / step.
        measured = np.abs(depths) <= 0.5 / self.kz_step * (1 + 1e-9)
        return np.asarray(self.values @ (waves * measured))


def file_table(
    array: NDArray[Any],
    kr_step_per_um: float,
    kz_step_per_um: float,
    optics: SimOptics,
    n_orders: int,
    depths_um: tuple[float, ...],
) -> OtfTable:
    """Tabulate the OTF of a file.

    Every order is made real by the phase that it has in focus against order 0, and scaled until it equals order 0
    in focus at low kr (least squares up to half the cutoff): how deep the stripes of the bead's acquisition were is
    left to the depths m1 and m2. Order 0 is 1 at kr = 0 in focus. Between the file's kr splines are laid; beyond the
    cutoff 2 NA / wavelength, and beyond the depths that the measured stack reached, H is 0.

    Parameters
    ----------
    array
        Real (order, kr, 2 kz), real and imaginary parts alternating along the last axis, negative kz wrapped
        (makeotf); or complex (order, kr, kz), or (orientation, kr, kz, order) (the arrays of Cao et al. 2024).
    kr_step_per_um, kz_step_per_um
        Distance of its samples, cycles per um.
    optics
        For the cutoff.
    n_orders
        Orders, the even light counted.
    depths_um
        Depths, in um; one, 0, for the focus alone.

    Raises
    ------
    InputError
        If this is no OTF of that many orders, or one of a single plane for several depths.
    """
    spectrum = _spectrum(array, kr_step_per_um, kz_step_per_um, n_orders)
    if len(depths_um) > 1 and spectrum.values.shape[-1] == 1:
        raise InputError(_FIELD, "an OTF of one plane for a volume", "an OTF with several kz")
    divisor = _divisor(spectrum, optics)
    coarse = (spectrum.at(depths_um) / divisor).real
    rows = np.arange(coarse.shape[2])
    fine = CubicSpline(rows, coarse, axis=2)(np.arange(_FINER * rows[-1] + 1) / _FINER)
    step = kr_step_per_um / _FINER
    # The last sample within the cutoff is 0 too: lines to it stay within.
    fine[:, :, step * np.arange(1, fine.shape[2] + 1) >= optics.cutoff] = 0
    return OtfTable(fine, step, tuple(depths_um))


def imaginary_share(
    array: NDArray[Any], kr_step_per_um: float, kz_step_per_um: float, optics: SimOptics, n_orders: int
) -> float:
    """Return which share of an OTF's power `file_table` leaves out as imaginary, in the order that has most of it."""
    spectrum = _spectrum(array, kr_step_per_um, kz_step_per_um, n_orders)
    n = spectrum.values.shape[-1]
    depths = tuple(float(d) for d in fft.fftfreq(n) / kz_step_per_um)
    found = spectrum.at(depths) / _divisor(spectrum, optics)
    power = np.sum(found.imag**2, axis=(2, 3)) / np.sum(np.abs(found) ** 2, axis=(2, 3))
    return float(power.max())


def from_table(table: OtfTable, kr_step_per_um: float, n_kr: int) -> Complex:
    """Return H(kr, kz) of a table whose depths are those of `depths_of`: (order, n_kr, depth), zero kz first."""
    kr = kr_step_per_um * np.arange(n_kr)
    orders = [table.lateral(order, 0, kr) for order in range(table.n_orders)]
    return np.asarray(fft.fft(np.stack(orders), axis=-1) / len(table.depths_um))


def to_makeotf(spectrum: Complex) -> NDArray[np.float32]:
    """Return H(kr, kz), (order, kr, kz), as makeotf's pages: (order, kr, 2 kz), real and imaginary parts alternating.

    Write them with `tifffile.imwrite(path, pages, photometric="minisblack")`.
    """
    parts = np.stack([spectrum.real, spectrum.imag], axis=-1)
    return np.ascontiguousarray(parts.reshape(*spectrum.shape[:-1], -1), np.float32)


def _spectrum(array: NDArray[Any], kr_step: float, kz_step: float, n_orders: int) -> _Spectrum:
    array = np.asarray(array)
    takes = (
        f"{n_orders} pages, one for each order, (kr, kz) with real and imaginary parts alternating, "
        "or complex numbers (orientation, kr, kz, order)"
    )
    got = f"an array of {' x '.join(map(str, array.shape))} {'complex' if array.dtype.kind == 'c' else 'real'} numbers"
    if array.dtype.kind in "iub":
        raise InputError(_FIELD, f"whole numbers ({array.dtype}), as an image holds", takes)
    if array.dtype.kind not in "fc":
        raise InputError(_FIELD, f"values of type {array.dtype}", takes)
    if array.dtype.kind == "f" and array.ndim == 3 and array.shape[-1] % 2 == 0:
        values = (array[..., ::2] + 1j * array[..., 1::2])[None]
    elif array.dtype.kind == "c" and array.ndim == 3:
        values = array[None]
    elif array.dtype.kind == "c" and array.ndim == 4:
        values = np.moveaxis(array, -1, 1)
    else:
        raise InputError(_FIELD, got, takes)
    if values.shape[1] != n_orders or values.shape[2] < 4 or 0 in values.shape:
        raise InputError(_FIELD, got, takes)
    values = values.astype(np.complex128)
    if not np.isfinite(values).all():
        raise InputError(_FIELD, "values that are NaN or infinite", takes)
    return _Spectrum(values, kr_step, kz_step)


def _divisor(spectrum: _Spectrum, optics: SimOptics) -> Complex:
    """Return what each order is divided by, (orientation, order, 1, 1)."""
    n = spectrum.values.shape[-1]
    planes = spectrum.at(tuple(float(d) for d in fft.fftfreq(n) / spectrum.kz_step))
    focus = planes[..., 0]  # (orientation, order, kr)
    even = np.abs(focus[:, 0])
    if not np.all(even[:, 0] > 0) or np.any(even.max(axis=1) > 1.5 * even[:, 0]):
        raise InputError(_FIELD, "values of order 0 that are not highest at kr = 0", "an OTF, whose kr begins at 0")
    kr = spectrum.kr_step * np.arange(focus.shape[-1])
    low = (kr > 0) & (kr <= _LOW * optics.cutoff)
    if np.count_nonzero(low) < 2:
        takes = f"less than {_LOW * optics.cutoff / 2:.3g}: the cutoff is {optics.cutoff:.3g} cycles per um"
        raise InputError("acquisition.otf.kr_step_per_um", f"{spectrum.kr_step:g}", takes)
    power = np.sum(np.abs(focus[:, :1, low]) ** 2, axis=-1)
    ratio = np.sum(np.conj(focus[:, :1, low]) * focus[..., low], axis=-1) / power
    brightest = np.abs(np.sum(np.conj(focus[:, :1, low, None]) * planes[:, :, low], axis=2)).max(axis=-1) / power
    dark = np.abs(ratio) < _DARK * brightest
    if np.any(dark) or not np.all(brightest > 0):
        order = int(np.argwhere(dark | ~(brightest > 0))[0, 1])
        raise InputError(_FIELD, f"an order {order} that is dark in focus", "orders that are bright where order 0 is")
    ratio[:, 0] = 1
    return np.asarray(ratio * focus[:, :1, 0])[..., None, None]
