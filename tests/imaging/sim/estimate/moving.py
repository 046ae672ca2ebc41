"""Structured illumination frames of points that move: exact, without a grid, and fast."""

from dataclasses import dataclass

import numpy as np
from scipy import fft

from napari_nstm.core.data import RawData
from napari_nstm.imaging.sim.choices import EstimatedPattern
from napari_nstm.imaging.sim.frames import SimFrames, sim_frames
from napari_nstm.imaging.sim.optics import SimOptics, given_vectors, middle_px, stripes
from napari_nstm.imaging.sim.otf import OtfTable, depths_of
from napari_nstm.imaging.sim.settings import SimSettings
from napari_nstm.imaging.sim.simulate import simulated_settings
from napari_nstm.imaging.sim.theory import theory_2d, theory_3d
from napari_nstm.phantoms.motions import known_motion

MOTIONS = ("none", "translation", "rotation", "shear", "swirl")
TARGETS = ("bars", "filaments", "beads")
UNEVEN_DEG = np.array([3, -9, 12, -6, 2, 14, -3, -12, 7, -1, -8, 5, 13, -14, 4])


@dataclass(frozen=True)
class Moving:
    """Frames with what is true of them; vectors have kx > 0, and phases fit them."""

    frames: SimFrames
    settings: SimSettings
    table: OtfTable
    vectors: np.ndarray
    phases: np.ndarray
    depths: np.ndarray

    @property
    def images(self):
        """In the order orientation, phase, with the camera's offset."""
        return self.frames.images + self.settings.offset

    def vector_errors_px(self, found):
        """Of vectors, in pixels of frequency."""
        return (found.vectors_per_um - self.vectors) * self.frames.images.shape[-2:] * self.settings.pixel_size_um

    def phase_errors_deg(self, found):
        return np.degrees(np.angle(np.exp(1j * (found.phases_rad - self.phases))))


def points_of(target, size, seed):
    """Positions (2, point) in raw pixels, and brightness; a tenth of the field stays free."""
    rng = np.random.default_rng(seed)
    low, high = 0.1 * size, 0.9 * size
    if target == "beads":
        n = round(0.016 * size**2)
        return rng.uniform(low, high, (2, n)), rng.uniform(0.6, 1, n)
    if target == "filaments":
        curves = []
        for _ in range(24):
            n = round(size * rng.uniform(0.6, 1.4))
            angle = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.05, n))
            curves.append(rng.uniform(low, high, (2, 1)) + 0.7 * np.cumsum([np.sin(angle), np.cos(angle)], axis=1))
        points = np.concatenate(curves, axis=1)
        inside = np.all((points > low) & (points < high), axis=0)
        return points[:, inside], np.ones(np.count_nonzero(inside))
    # Groups of three bars along y and along x, of five widths, as on a resolution target.
    bars = []
    unit = size / 192
    for group, width in enumerate((9, 6, 4.5, 3, 2)):
        wide, gap = width * unit, 2 * width * unit
        along, across = np.meshgrid(np.arange(0, 5 * wide, 0.5), np.arange(0, wide, 0.5))
        for bar in range(3):
            flat = np.stack([across.ravel() + bar * gap, along.ravel()])
            corner = low + unit * np.array([[4 + 30 * group], [8]])
            bars += [flat + corner, flat[::-1] + corner + [[0], [60 * unit + 6 * wide]]]
    points = np.concatenate(bars, axis=1) + rng.uniform(-0.5, 0.5, (2, 1))
    inside = np.all(points < high, axis=0)
    return points[:, inside], np.ones(np.count_nonzero(inside))


def moving(
    motion="swirl",
    target="filaments",
    seed=0,
    size=192,
    displacement_px=6.0,
    noise=0.01,
    uneven_deg=0.0,
    n_planes=None,
    acquisitions=1,
    modify=None,
    **changes,
):
    """Take frames of points that move while they are taken; `modify` changes the clean images (counts)."""
    settings = simulated_settings(n_planes, **changes)
    shots = settings.n_orientations * settings.n_phases
    phases = np.tile(settings.phases_rad, acquisitions) + np.radians(np.resize(uneven_deg, shots * acquisitions))
    vectors, optics = given_vectors(settings), SimOptics.from_settings(settings)
    depths = np.array([1.0, settings.modulation_1, settings.modulation_2 or 0.0][: settings.n_orders])
    planes = n_planes or 1
    z_um = depths_of(planes + 4, settings.plane_spacing_um) if n_planes else (0.0,)
    table = theory_3d(optics, vectors, settings.n_orders, z_um) if n_planes else theory_2d(optics, settings.n_orders)

    points, brightness = points_of(target, size, seed)
    layer = np.random.default_rng(seed + 1).integers(0, planes, len(brightness))
    times = np.linspace(-1, 1, len(phases))
    how = known_motion(motion, (size, size), displacement_px, times, seed or None)
    pixel = settings.pixel_size_um
    ky, kx = fft.fftfreq(size), fft.rfftfreq(size)
    H = [table.lateral(m, 0, np.hypot(ky[:, None], kx) / pixel) for m in range(settings.n_orders)]
    images = np.empty((len(phases), planes, size, size))
    for frame, (t, phase) in enumerate(zip(times, phases, strict=True)):
        at = points + how.displacement(points.astype(np.float32), float(t))
        um = [pixel * (p - m) for p, m in zip(at, middle_px((size, size)), strict=True)]
        waves = [np.exp(-2j * np.pi * np.outer(k, p)) for k, p in zip((ky, kx), at, strict=True)]
        spectra = np.zeros((planes, size, len(kx)), complex)
        for order, depth in enumerate(depths):
            one = np.where(np.arange(len(depths)) == order, depth, 0.0)
            lit = brightness * stripes(vectors[frame % shots // settings.n_phases], phase, one, *um)
            for z in range(planes):
                sample = (waves[0][:, layer == z] * lit[layer == z]) @ waves[1][:, layer == z].T
                for plane in range(planes):
                    spectra[plane] += sample * H[order][..., plane - z]
        images[frame] = fft.irfft2(spectra, (size, size))
    images *= 1e4 / images.max()
    if modify is not None:
        images = modify(images)
    images += np.random.default_rng(seed + 2).normal(0, noise * 1e4, images.shape) + settings.offset
    if n_planes:  # the stack holds planes slowest
        images = images.transpose(1, 0, 2, 3)
    raw = RawData(images.reshape(-1, size, size).astype(np.float32))
    sign = np.where(vectors[:, 1] < 0, -1, 1)
    return Moving(
        sim_frames(raw, settings),
        settings.model_copy(update={"pattern": EstimatedPattern(), "phases_rad": None}),
        table,
        vectors * sign[:, None],
        phases * np.tile(np.repeat(sign, settings.n_phases), acquisitions),
        depths,
    )
