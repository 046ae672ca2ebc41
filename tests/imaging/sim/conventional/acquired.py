"""Acquisitions of samples at rest, with all that a conventional reconstruction takes."""

from dataclasses import dataclass

import numpy as np
from scipy import fft

from napari_nstm.imaging.sim.frames import SimFrames
from napari_nstm.imaging.sim.layout import SimLayout, sim_layout
from napari_nstm.imaging.sim.optics import Illumination, SimOptics, carrier, given_vectors, middle_px, stripes
from napari_nstm.imaging.sim.otf import OtfTable, depths_of
from napari_nstm.imaging.sim.settings import SimSettings
from napari_nstm.imaging.sim.theory import theory_2d, theory_3d


@dataclass(frozen=True)
class Acquired:
    """All that a conventional reconstruction takes."""

    frames: SimFrames
    light: Illumination
    table: OtfTable
    layout: SimLayout
    settings: SimSettings

    def __iter__(self):
        return iter((self.frames, self.light, self.table, self.layout, self.settings))


def taken(images, settings, phases=None, intensities=None):
    """Images in the order orientation, phase (of one or more acquisitions), as frames with their light."""
    n, shots = len(images), settings.n_orientations * settings.n_phases
    index = np.arange(n)
    frames = SimFrames(
        np.asarray(images, np.float32),
        index // shots,
        index % shots // settings.n_phases,
        index % settings.n_phases,
        25.0 * index,
        25.0 * index[:, None],
    )
    depths = np.ones((settings.n_orientations, settings.n_orders))
    for order in range(1, settings.n_orders):
        depths[:, order] = getattr(settings, f"modulation_{order}")
    given = np.tile(settings.phases_rad, n // shots) if phases is None else np.asarray(phases)
    brightness = np.ones(n) if intensities is None else np.asarray(intensities)
    light = Illumination(given_vectors(settings), given, depths, brightness)
    layout = sim_layout(frames.images.shape[1:], settings)
    optics = SimOptics.from_settings(settings)
    if frames.images.ndim == 3:
        table = theory_2d(optics, settings.n_orders)
    else:
        planes = depths_of(layout.raw.padded_extent[0], settings.plane_spacing_um)
        table = theory_3d(optics, light.vectors_per_um, settings.n_orders, planes)
    return Acquired(frames, light, table, layout, settings)


def uniform_images(shape, settings, density, table=None):
    """What a uniform sample of this density looks like: ([z,] y, x) for every orientation and phase."""
    optics = SimOptics.from_settings(settings)
    table = table or theory_2d(optics, settings.n_orders)
    y, x = ((np.arange(n) - m) * settings.pixel_size_um for n, m in zip(shape[-2:], middle_px(shape), strict=True))
    depths = (1.0, settings.modulation_1, settings.modulation_2)[: settings.n_orders]
    images = []
    for shot, phase in enumerate(settings.phases_rad):
        vector = given_vectors(settings)[shot // settings.n_phases]
        angle = carrier(vector, y[:, None], x[None]) + phase
        seen = [float(np.sum(table.lateral(m, 0, np.array(m * np.hypot(*vector))))) for m in range(len(depths))]
        image = density * sum(d * h * np.cos(m * angle) for m, (d, h) in enumerate(zip(depths, seen, strict=True)))
        images.append(np.broadcast_to(image, shape))
    return np.stack(images)


def photographed(function, settings, size=96, noise=0.0):
    """Frames (shot, [z,] y, x) of a sample at rest, and 0 around it.

    `function` gives its density ([z,] y, x) at positions y and x in raw pixels.
    """
    fine, border, border_planes = 3, 16, 4
    extent = size + 2 * border
    at = np.arange(fine * extent) / fine - border
    um = (at - size // 2) * settings.pixel_size_um
    k = fft.fftfreq(extent, settings.pixel_size_um)
    kr = np.hypot(k[:, None], k[: extent // 2 + 1])
    rows = np.concatenate([np.arange(extent // 2), np.arange(-extent // 2, 0)])
    sample = np.asarray(function(at[:, None], at[None]))
    optics, vectors = SimOptics.from_settings(settings), given_vectors(settings)
    table, inside = theory_2d(optics, settings.n_orders), (slice(border, -border),) * 2
    if sample.ndim == 3:
        sample = np.pad(sample, ((border_planes, border_planes), (0, 0), (0, 0)))
        table = theory_3d(optics, vectors, settings.n_orders, depths_of(len(sample), settings.plane_spacing_um))
        inside = (slice(border_planes, -border_planes), *inside)
    images = []
    for shot, phase in enumerate(settings.phases_rad):
        orientation, seen = shot // settings.n_phases, 0.0
        for order, depth in enumerate((1.0, settings.modulation_1, settings.modulation_2)[: settings.n_orders]):
            one = depth * np.eye(settings.n_orders)[order]
            lit = sample * stripes(vectors[orientation], phase, one, um[:, None], um[None])
            spectrum = fft.rfft2(lit.astype(np.float32))[..., rows, : extent // 2 + 1] / fine**2
            spectrum = fft.fft(spectrum, axis=0) if sample.ndim == 3 else spectrum
            seen = seen + spectrum * table.transfer(order, orientation, kr)
        images.append(fft.irfftn(seen, s=(*sample.shape[:-2], extent, extent))[inside])
    images = np.stack(images)
    return (images + np.random.default_rng(0).normal(0, noise * images.max(), images.shape)).astype(np.float32)


def fitted_psnr(image, truth, margin=10):
    """PSNR in dB after the offset and scale that fit best."""
    inside = (..., slice(margin, truth.shape[-2] - margin), slice(margin, truth.shape[-1] - margin))
    found, wanted = np.asarray(image[inside], float).ravel(), np.asarray(truth[inside], float).ravel()
    scale, offset = np.polyfit(found, wanted, 1)
    return 10 * np.log10(np.ptp(wanted) ** 2 / np.mean((scale * found + offset - wanted) ** 2))
