"""Frequencies of a field of pixels, and transforms at any of them; positions count from the middle of the field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from napari_nstm.imaging.sim.optics import middle_px

Float = NDArray[np.floating[Any]]
Complex = NDArray[np.complexfloating[Any, Any]]


@dataclass(frozen=True)
class Sampling:
    """A field of pixels.

    Parameters
    ----------
    shape
        Pixels (y, x).
    pixel_size_um
        Their size.
    """

    shape: tuple[int, int]
    pixel_size_um: float

    @property
    def step_per_um(self) -> Float:
        """Distance (y, x) of the frequencies that the field tells apart, cycles per um: a "pixel" of frequency."""
        return 1 / (np.asarray(self.shape, np.float64) * self.pixel_size_um)

    @property
    def positions_um(self) -> tuple[Float, Float]:
        """Positions along y and along x from the pixel at which phases are counted."""
        y, x = ((np.arange(n) - m) * self.pixel_size_um for n, m in zip(self.shape, middle_px(self.shape), strict=True))
        return y, x

    def frequencies(self) -> tuple[Float, Float]:
        """Return (y, 1) and (1, x) frequencies of a real transform (`rfft2`), cycles per um."""
        rows, columns = self.shape
        return fft.fftfreq(rows, self.pixel_size_um)[:, None], fft.rfftfreq(columns, self.pixel_size_um)[None]

    def transform(self, images: Float, vectors_per_um: Float, offsets: Float | None = None) -> Complex:
        """Return the transforms of images at a vector, or on a grid of frequencies around it.

        Parameters
        ----------
        images
            (image, y, x).
        vectors_per_um
            (2,) ky and kx.
        offsets
            (n,) in pixels of frequency, added to ky and to kx; None: the vector alone.

        Returns
        -------
        Complex
            (image, n, n), or (image,).
        """
        added = np.zeros(1) if offsets is None else offsets
        # In single precision: a phase is good to 1e-6 rad.
        ey, ex = (
            np.exp(-2j * np.pi * np.outer(k + added * step, at)).astype(np.complex64)
            for k, step, at in zip(vectors_per_um, self.step_per_um, self.positions_um, strict=True)
        )
        # A product of real matrices, and then of small ones.
        rows = images.astype(np.float32, copy=False) @ np.concatenate([ex.real, ex.imag]).T
        found = ey @ (rows[..., : len(ex)] + 1j * rows[..., len(ex) :])
        return np.asarray(found[:, 0, 0] if offsets is None else found, np.complex128)


def whole(half: Float, columns: int) -> Float:
    """Complete the half of an even spectrum that `rfft2` keeps: (..., y, x // 2 + 1) to (..., y, x)."""
    rows = half.shape[-2]
    opposite = half[..., -np.arange(rows) % rows, :]
    return np.concatenate([half, opposite[..., 1 : (columns + 1) // 2][..., ::-1]], axis=-1)
