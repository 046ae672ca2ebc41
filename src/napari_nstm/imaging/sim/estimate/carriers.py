"""Which stripes each image shows, whatever was declared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_nstm.imaging.sim.estimate.correlate import Correlator, ideal_correlator
from napari_nstm.imaging.sim.estimate.vectors import find_vector, searchable
from napari_nstm.imaging.sim.frames import SimFrames
from napari_nstm.imaging.sim.settings import SimSettings

Float = NDArray[np.floating[Any]]
Index = NDArray[np.int64]

_AROUND_PX = 8  # of frequency
_BESIDE_PX = 3.0
_SEEN = 10.0  # power of a carrier over its surroundings
_OWN, _OTHER = 0.3, 0.5  # of the power that is expected, and of the strongest carrier's
_ABSENT = 0.1
_LEAST_USUAL = 0.2  # of the strongest image's power: where far fewer images show a carrier than should


@dataclass(frozen=True)
class Carriers:
    """What each image shows of each orientation's stripes: (image, orientation).

    Parameters
    ----------
    power
        Of the orders' peaks together, less that of their surroundings, over that of the peak at zero frequency: it does
        not depend on how bright an image is.
    contrast
        Power of order 1 or 2, the higher, over that of its surroundings.
    phases_rad
        Of order 1.
    """

    power: Float
    contrast: Float
    phases_rad: Float

    @property
    def relative(self) -> Float:
        """The power in units of what an orientation's own images show."""
        n_images, n = self.power.shape
        strongest = np.sort(self.power, axis=0)[-max(1, n_images // n) :]
        usual = np.maximum(np.median(strongest, axis=0), _LEAST_USUAL * strongest[-1])
        return np.asarray(self.power / np.maximum(usual, 1e-300))

    @property
    def labels(self) -> Index:
        """Which orientation's stripes each image shows; -1 where it shows none, or several (as samples do)."""
        relative = self.relative
        ranked, rows = np.argsort(relative, axis=1), np.arange(len(relative))
        best = ranked[:, -1]
        clear = (relative[rows, best] > _OWN) & (self.contrast[rows, best] > _SEEN)
        if relative.shape[1] > 1:
            clear &= relative[rows, ranked[:, -2]] < _OTHER * relative[rows, best]
        return np.where(clear, best, -1)

    @property
    def absent(self) -> NDArray[np.bool_]:
        """Which images show none of the stripes that others show."""
        return np.asarray((self.relative.max(axis=1) < _ABSENT) & (self.contrast.max(axis=1) < _SEEN))


def carrier_power(frames: SimFrames, vectors_per_um: Float, settings: SimSettings) -> Float:
    """Return how strongly each frame shows the stripes of each orientation.

    Parameters
    ----------
    frames
        Whole acquisitions.
    vectors_per_um
        (orientation, 2) of order 1, cycles per um.
    settings
        The acquisition.

    Returns
    -------
    Float
        (frame, orientation): power of the orders' peaks relative to the frame's own at zero frequency; 1 is the median
        of as many frames as each orientation should have, those which show its stripes most.
    """
    return carriers_in(ideal_correlator(frames, settings), vectors_per_um, settings.n_orders).relative


def carriers_in(correlator: Correlator, vectors_per_um: Float, n_orders: int) -> Carriers:
    """Look for stripes of given vectors in every image."""
    n_images = len(correlator.frames.phase)
    power, contrast, phases = np.zeros((3, n_images, len(vectors_per_um)))
    offsets = np.arange(-_AROUND_PX, _AROUND_PX + 1.0)
    beside = np.hypot(offsets[:, None], offsets) > _BESIDE_PX
    for image in range(n_images):
        product = correlator.products(np.array([image]))
        even = max(float(np.abs(product.mean(dtype=np.float64) * product.size)) ** 2, 1e-300)
        for d, vector in enumerate(vectors_per_um):
            for order in range(1, n_orders):
                around = correlator.sampling.transform(product, order * vector, offsets)[0]
                peak, floor = around[_AROUND_PX, _AROUND_PX], float(np.mean(np.abs(around[beside]) ** 2))
                power[image, d] += max(abs(peak) ** 2 - floor, 0.0) / even
                contrast[image, d] = max(contrast[image, d], abs(peak) ** 2 / max(floor, 1e-300))
                if order == 1:
                    phases[image, d] = np.angle(peak)
    return Carriers(power, contrast, phases)


def vectors_of_all(correlator: Correlator, settings: SimSettings) -> Float:
    """Find the stripes of all orientations in all images together, whichever shows which: (orientation, 2)."""
    products = correlator.products(np.arange(len(correlator.frames.phase)))
    search = searchable([products], correlator.sampling)
    found = []
    for _ in range(settings.n_orientations):
        found.append(find_vector(search, settings, correlator.sampling))
        search = search.without(found[-1])
    return np.stack(found)
