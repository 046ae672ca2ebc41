"""What the camera does to a movie, and the adjoint of that, with numpy: for reconstruction without a fit.

Movies are (moment, colour, y, x) of the scene, images (colour, y, x) of the sensor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from napari_nstm.imaging.diffusercam.layout import DiffuserCamLayout
from napari_nstm.imaging.diffusercam.prepare import Prepared, psf_rows
from napari_nstm.imaging.diffusercam.windows import windows

Float = NDArray[np.float32]


class Operator(Protocol):
    """A linear map from movies to images."""

    @property
    def movie_shape(self) -> tuple[int, int, int, int]:
        """(moment, colour, y, x)."""
        ...

    def forward(self, movie: Float) -> Float:
        """Return the image of a movie."""
        ...

    def adjoint(self, image: Float) -> Float:
        """Return the movie whose product with any movie is that of `image` with its image."""
        ...


@dataclass(frozen=True, eq=False)
class RollingOperator:
    """A rolling shutter: every row sees its exposure's mean of the movie.

    Parameters
    ----------
    weights
        (exposure, moment).
    rows
        (exposure, row); -1 where there is none.
    transfer
        (1 or colour, row, kx >= 0): rows of the PSF, transformed along x.
    layout
        Sensor and scene.
    """

    weights: Float
    rows: NDArray[np.int64]
    transfer: NDArray[np.complex64]
    layout: DiffuserCamLayout

    @classmethod
    def of(cls, data: Prepared) -> RollingOperator:
        """Return the operator of an image, for the moments of its shutter's lattice."""
        whole = windows(data.shutter, data.shutter.n_rows)
        rows = np.where(whole.counted[0] > 0, whole.rows[0], -1)
        # A single window need not begin with the lattice: what it leaves out no row sees.
        weights = np.zeros((len(rows), data.shutter.n_cells), np.float32)
        weights[:] = data.shutter.weights[rows[:, 0]]
        return cls(weights, rows, psf_rows(data.psf, data.layout), data.layout)

    @property
    def movie_shape(self) -> tuple[int, int, int, int]:
        """(moment, colour, y, x)."""
        return (self.weights.shape[1], len(self.layout.grid.channels), *_pair(self.layout.grid.shape))

    def forward(self, movie: Float) -> Float:
        """Return the image of a movie."""
        n, left, width = self.layout.transform_length, self.layout.centre[1], self.layout.sensor[1]
        exposed = np.tensordot(self.weights, movie, 1)
        spectrum = fft.rfft(exposed, n, workers=-1)
        lines = np.zeros((movie.shape[1], self.layout.sensor[0], n // 2 + 1), np.complex64)
        for seen, rows in zip(spectrum, self.rows, strict=True):
            for row in rows[rows >= 0]:
                lines[:, row] = np.einsum("cyk,cyk->ck", self._met(row), seen)
        return np.asarray(fft.irfft(lines, n, workers=-1)[..., left : left + width])

    def adjoint(self, image: Float) -> Float:
        """Return the movie that belongs to an image."""
        n, left, width = self.layout.transform_length, self.layout.centre[1], self.layout.sensor[1]
        h, w = self.layout.grid.shape
        lines = np.zeros((*image.shape[:2], n), np.float32)
        lines[..., left : left + width] = image
        spectrum = fft.rfft(lines, workers=-1)
        seen = np.zeros((len(self.rows), image.shape[0], h, n // 2 + 1), np.complex64)
        for exposure, rows in enumerate(self.rows):
            for row in rows[rows >= 0]:
                seen[exposure] += np.conj(self._met(row)) * spectrum[:, row, None]
        exposed = fft.irfft(seen, n, workers=-1)[..., :w]
        return np.asarray(np.tensordot(self.weights.T, exposed, 1))

    def _met(self, row: int) -> NDArray[np.complex64]:
        """Rows of the PSF by which the scene's rows reach a row of the sensor: (1 or colour, y, kx)."""
        met = row + self.layout.centre[0] - np.arange(self.layout.grid.shape[0])
        inside = (met >= 0) & (met < self.layout.sensor[0])
        return np.where(inside[:, None], self.transfer[:, np.clip(met, 0, self.layout.sensor[0] - 1)], 0)


@dataclass(frozen=True, eq=False)
class StaticOperator:
    """All rows see the same scene: movies of one moment.

    Parameters
    ----------
    transfer
        (1 or colour, ky, kx >= 0) of the PSF.
    layout
        Sensor and scene.
    """

    transfer: NDArray[np.complex64]
    layout: DiffuserCamLayout

    @classmethod
    def of(cls, data: Prepared) -> StaticOperator:
        """Return the operator of an image."""
        shape = (data.layout.transform_height, data.layout.transform_length)
        return cls(np.asarray(fft.rfft2(data.psf, shape), np.complex64), data.layout)

    @property
    def movie_shape(self) -> tuple[int, int, int, int]:
        """(1, colour, y, x)."""
        return (1, len(self.layout.grid.channels), *_pair(self.layout.grid.shape))

    def forward(self, movie: Float) -> Float:
        """Return the image of a scene."""
        shape = self._shape
        whole = fft.irfft2(fft.rfft2(movie[0], shape, workers=-1) * self.transfer, shape, workers=-1)
        return np.asarray(whole[self._sensor])

    def adjoint(self, image: Float) -> Float:
        """Return the scene that belongs to an image."""
        h, w = self.layout.grid.shape
        whole = np.zeros((len(image), *self._shape), np.float32)
        whole[self._sensor] = image
        spectrum = fft.rfft2(whole, workers=-1) * np.conj(self.transfer)
        return np.asarray(fft.irfft2(spectrum, self._shape, workers=-1)[None, :, :h, :w])

    @property
    def _shape(self) -> tuple[int, int]:
        return self.layout.transform_height, self.layout.transform_length

    @property
    def _sensor(self) -> tuple[slice, ...]:
        starts, sizes = self.layout.centre, self.layout.sensor
        return (slice(None), *(slice(a, a + n) for a, n in zip(starts, sizes, strict=True)))


def largest_gain(operator: Operator, n_iterations: int = 20) -> float:
    """Return the largest eigenvalue of adjoint after forward, by power iteration."""
    movie = np.random.default_rng(0).random(operator.movie_shape, np.float32)
    gain = 0.0
    for _ in range(n_iterations):
        movie = operator.adjoint(operator.forward(movie / np.linalg.norm(movie)))
        gain = float(np.linalg.norm(movie))
    return gain


def _pair(shape: tuple[int, ...]) -> tuple[int, int]:
    return cast("tuple[int, int]", shape)
