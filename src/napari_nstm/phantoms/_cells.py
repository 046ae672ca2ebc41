"""Adherent cells, as a phase microscope sees them: a thin sheet that rises towards the nucleus, with fine detail.

Outlines scale with the field; organelles and filaments are a pixel or two wide whatever its size, and so
are at the edge of what a microscope that samples well resolves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from napari_nstm.phantoms._lattice import CELL_PX, ORIGIN_PX, SUPERSAMPLING, Float, cell_centres_px, lattice_shape

_N_CELLS = 5
_N_ANGLES = 361
_ABSORPTION_PEAK = 0.3
_ORGANELLE_SIGMAS_PX = (0.7, 1.0, 1.5)
_FILAMENT_SIGMA_PX = 0.55
_NUCLEUS_SIZE = 0.3  # half its short axis, relative to the mean radius
_PIXELS_PER_ORGANELLE = 45.0  # of cell area
_PIXELS_PER_FILAMENT = 250.0


@dataclass(frozen=True)
class _Cell:
    """An outline r(angle) around a centre, in raw pixels.

    Parameters
    ----------
    centre, radius_px
        (y, x) and mean radius.
    aspect, angle
        Elongation and direction of the long axis, rad.
    cosines, sines
        Fourier coefficients 2, 3, ... of the outline relative to the mean radius.
    nucleus
        Offset (y, x) of the nucleus, relative to the radius.
    """

    centre: NDArray[np.float64]
    radius_px: float
    aspect: float
    angle: float
    cosines: NDArray[np.float64]
    sines: NDArray[np.float64]
    nucleus: NDArray[np.float64]

    @property
    def area_px(self) -> float:
        return math.pi * self.radius_px**2

    def rho(self, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the distance from the centre relative to the outline: 0 at the centre, 1 on the outline."""
        along, across = _rotated(y - self.centre[0], x - self.centre[1], self.angle)
        along, across = along / self.aspect, across * self.aspect
        theta = np.linspace(-np.pi, np.pi, _N_ANGLES)
        outline = np.ones(_N_ANGLES)
        for k, (a, b) in enumerate(zip(self.cosines, self.sines, strict=True), start=2):
            outline += a * np.cos(k * theta) + b * np.sin(k * theta)
        outline = self.radius_px * np.clip(outline, 0.45, 1.6)
        return np.asarray(np.hypot(along, across) / np.interp(np.arctan2(across, along), theta, outline))

    def outline_px(self) -> NDArray[np.float64]:
        """Return points of the outline relative to the centre: (2, point), y and x."""
        theta = np.linspace(0, 2 * np.pi, 90, endpoint=False)
        direction = np.stack([np.sin(theta), np.cos(theta)])
        return np.asarray(direction / self.rho(*(self.centre[:, None] + direction)))


def draw(shape: tuple[int, int], rng: np.random.Generator, fill: float, border: float) -> tuple[Float, Float]:
    """Draw the cells on the fine lattice.

    Parameters
    ----------
    shape
        Raw pixels (y, x).
    rng
        Source of everything that is random.
    fill
        Fraction of the field inside an outline.
    border
        Fraction of the field that stays free on each side.

    Returns
    -------
    phase, absorption
        (4 y, 4 x); the phase peaks at 1, the absorption at 0.3.
    """
    size = lattice_shape(shape)
    population = _fitted(_population(shape, rng, border), shape, fill, border)
    body, inside = np.zeros(size), np.zeros(size)
    nuclei = np.zeros(size)
    for cell in population:
        window, y, x = _window(cell, shape)
        rho = cell.rho(y, x)
        edge = _smooth_step((1 - rho) / 0.2)
        nucleus = edge * _nucleus(cell, y, x)
        height = _height(cell, rho, nucleus) + _nucleoli(cell, nucleus, y, x, rng)
        # Where two cells touch, the thicker one shows: neither climbs onto the other.
        body[window] = np.maximum(body[window], height)
        inside[window] = np.maximum(inside[window], edge)
        nuclei[window] = np.maximum(nuclei[window], nucleus)
    inside *= 1 - nuclei
    organelles = inside * _organelles(population, size, rng)
    phase = body + 0.25 * organelles + 0.12 * inside * _filaments(population, size, rng)
    return (
        (phase / phase.max()).astype(np.float32),
        (organelles * (_ABSORPTION_PEAK / organelles.max())).astype(np.float32),
    )


def _population(shape: tuple[int, int], rng: np.random.Generator, border: float) -> list[_Cell]:
    """Place cells of radius about 1 px evenly, but not regularly, over the field inside the border."""
    places = rng.uniform(border, 1 - border, (300, 2)) * (np.asarray(shape) - 1)
    centres = places[:_N_CELLS]
    for _ in range(4):  # Lloyd's iteration
        nearest = np.argmin(np.linalg.norm(places[:, None] - centres, axis=2), axis=1)
        centres = np.stack([places[nearest == k].mean(axis=0) for k in range(_N_CELLS)])
    population = []
    for centre in centres:
        amplitude = 0.16 / np.arange(2, 7)
        population.append(
            _Cell(
                centre,
                radius_px=rng.uniform(0.85, 1.15),
                aspect=math.sqrt(rng.uniform(1.1, 1.7)),
                angle=rng.uniform(0, math.pi),
                cosines=amplitude * rng.normal(size=5),
                sines=amplitude * rng.normal(size=5),
                nucleus=rng.uniform(-0.15, 0.15, 2),
            )
        )
    return population


def _fitted(population: list[_Cell], shape: tuple[int, int], fill: float, border: float) -> list[_Cell]:
    """Scale the cells until together they cover `fill` of the field, by bisection; keep the border free."""
    y, x = np.meshgrid(*(np.arange(0.0, n, max(n / 128, 1.0)) for n in shape), indexing="ij")
    low, high = 0.0, float(max(shape))
    for _ in range(20):
        middle = (low + high) / 2
        scaled = [_kept_inside(replace(c, radius_px=c.radius_px * middle), shape, border) for c in population]
        covered = np.mean(np.any([c.rho(y, x) < 1 for c in scaled], axis=0))
        low, high = (middle, high) if covered < fill else (low, middle)
    return scaled


def _kept_inside(cell: _Cell, shape: tuple[int, int], border: float) -> _Cell:
    """Move a cell so that it stays off the border; shrink one that is too large for the field."""
    outline = cell.outline_px()
    extent = np.asarray(shape, np.float64)
    free = (1 - 2 * border) * extent
    shrink = min(1.0, float(np.min(free / np.ptp(outline, axis=1))))
    first = border * extent - 0.5 - shrink * outline.min(axis=1)
    last = (1 - border) * extent - 0.5 - shrink * outline.max(axis=1)
    return replace(cell, centre=np.clip(cell.centre, first, np.maximum(first, last)), radius_px=shrink * cell.radius_px)


def _window(
    cell: _Cell, shape: tuple[int, int]
) -> tuple[tuple[slice, slice], NDArray[np.float64], NDArray[np.float64]]:
    """Return the lattice cells around a cell, and their positions y and x."""
    outline = cell.outline_px()
    slices, axes = [], []
    for centre, low, high, n in zip(
        cell.centre, outline.min(axis=1) - 1, outline.max(axis=1) + 1, lattice_shape(shape), strict=True
    ):
        first = max(int((centre + low - ORIGIN_PX) / CELL_PX), 0)
        last = min(int((centre + high - ORIGIN_PX) / CELL_PX), n)
        slices.append(slice(first, last))
        axes.append(cell_centres_px(last - first, first))
    y, x = np.meshgrid(*axes, indexing="ij")
    return (slices[0], slices[1]), y, x


def _nucleus(cell: _Cell, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 inside the nucleus, an ellipse with a soft edge, and 0 outside."""
    centre = cell.centre + cell.radius_px * cell.nucleus
    along, across = _rotated(y - centre[0], x - centre[1], cell.angle + 0.3)
    distance = np.hypot(along / 1.25, across) / (_NUCLEUS_SIZE * cell.radius_px)
    return _smooth_step((1 - distance) / 0.2)


def _height(cell: _Cell, rho: NDArray[np.float64], nucleus: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the thickness of a cell: a sheet with a soft edge, a dome around the nucleus, the nucleus itself."""
    sheet = 0.30 * _smooth_step((1 - rho) / 0.12)
    dome = 0.22 * np.exp(-((rho / 0.5) ** 2)) * _smooth_step((1 - rho) / 0.5)
    return np.asarray(sheet + dome + 0.18 * nucleus)


def _nucleoli(
    cell: _Cell,
    nucleus: NDArray[np.float64],
    y: NDArray[np.float64],
    x: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Return two to four dense spots inside the nucleus."""
    size = _NUCLEUS_SIZE * cell.radius_px
    spots = np.zeros_like(nucleus)
    for offset in rng.uniform(-0.5, 0.5, (int(rng.integers(2, 5)), 2)) * size:
        centre = cell.centre + cell.radius_px * cell.nucleus + offset
        squared = ((y - centre[0]) ** 2 + (x - centre[1]) ** 2) / (0.17 * size) ** 2
        spots = np.maximum(spots, np.exp(-0.5 * squared))
    return np.asarray(0.2 * spots * nucleus)


def _organelles(population: list[_Cell], size: tuple[int, int], rng: np.random.Generator) -> Float:
    """Return dots around the nuclei, 1 at the brightest."""
    image = np.zeros(size, np.float32)
    for sigma in _ORGANELLE_SIGMAS_PX:
        impulses = np.zeros(size, np.float32)
        for cell in population:
            n = max(3, round(cell.area_px / _PIXELS_PER_ORGANELLE / len(_ORGANELLE_SIGMAS_PX)))
            theta = rng.uniform(0, 2 * np.pi, n)
            radius = cell.radius_px * np.clip(np.abs(rng.normal(0.5, 0.16, n)), 0.2, 0.9)
            points = cell.centre[:, None] + radius * np.stack([np.sin(theta), np.cos(theta)])
            _add_points(impulses, points, rng.uniform(0.4, 1.0, n))
        image += _blurred(impulses, sigma) * (2 * np.pi * (sigma * SUPERSAMPLING) ** 2)
    return np.asarray(np.tanh(image))


def _filaments(population: list[_Cell], size: tuple[int, int], rng: np.random.Generator) -> Float:
    """Return thin curved lines that run roughly along each cell's long axis, 1 at the brightest."""
    impulses = np.zeros(size, np.float32)
    for cell in population:
        n_steps = int(4 * cell.radius_px * SUPERSAMPLING)
        for _ in range(max(4, round(cell.area_px / _PIXELS_PER_FILAMENT))):
            heading = cell.angle + rng.normal(0, 0.35) + rng.normal(0, 1.2) / n_steps * np.arange(n_steps)
            steps = CELL_PX * np.stack([np.sin(heading), np.cos(heading)])
            line = np.cumsum(steps, axis=1)
            start = cell.centre + 0.5 * cell.radius_px * rng.normal(size=2) - line[:, n_steps // 2]
            points = line + start[:, None]
            _add_points(impulses, points[:, cell.rho(*points) < 0.95], 1.0)
    # A line of one impulse per cell has this height once it is blurred.
    return np.asarray(np.tanh(_blurred(impulses, _FILAMENT_SIGMA_PX) * math.sqrt(2 * math.pi) * _FILAMENT_SIGMA_PX * 4))


def _add_points(image: Float, points_px: NDArray[np.float64], weight: NDArray[np.float64] | float) -> None:
    """Add impulses at the lattice cells nearest to points (2, n); those outside are left out."""
    index = np.rint((points_px - ORIGIN_PX) / CELL_PX).astype(int)
    kept = np.all((index >= 0) & (index < np.asarray(image.shape)[:, None]), axis=0)
    np.add.at(image, (index[0][kept], index[1][kept]), np.broadcast_to(weight, kept.shape)[kept])


def _blurred(image: Float, sigma_px: float) -> Float:
    return np.asarray(gaussian_filter(image, sigma_px * SUPERSAMPLING, mode="constant"))


def _rotated(
    y: NDArray[np.float64], x: NDArray[np.float64], angle: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the components along and across a direction `angle` from +x towards +y."""
    c, s = math.cos(angle), math.sin(angle)
    return c * x + s * y, c * y - s * x


def _smooth_step(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rise smoothly from 0 at 0 to 1 at 1."""
    t = np.clip(value, 0, 1)
    return np.asarray(t * t * (3 - 2 * t))
