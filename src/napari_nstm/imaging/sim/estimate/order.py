"""Are the images in the order that is declared? What stripes each of them shows tells."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_nstm.imaging.sim.estimate.correlate import Correlator, ideal_correlator
from napari_nstm.imaging.sim.estimate.vectors import find_vector, refine_vector, searchable
from napari_nstm.imaging.sim.frames import SimFrames, arrangement
from napari_nstm.imaging.sim.settings import IMAGE_AXES, SimSettings

Float = NDArray[np.floating[Any]]
Index = NDArray[np.int64]

_AROUND_PX = 8  # of frequency
_BESIDE_PX = 3.0
_SEEN = 10.0  # power of a carrier over its surroundings
_OWN = 0.3  # of the carrier that is expected
_MOST_ACQUISITIONS = 4
_MOST_PLANES = 4
_RIGHT, _WRONG = 0.9, 0.7  # shares of images, and how well phases follow their steps
_ADVANCE = 0.75


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
        (frame, orientation): power of the orders' peaks, less that of their surroundings; 1 is the median of
        as many frames as each orientation should have, those which show its stripes most.
    """
    return _carriers(ideal_correlator(frames, settings), vectors_per_um, settings).relative(settings.n_orientations)


def check_order(frames: SimFrames, vectors_per_um: Float, settings: SimSettings) -> str | None:
    """Say what is wrong with the declared order of images: a sentence, or None.

    The frames of an orientation must show one kind of stripes, another one than those of other orientations, and their
    phases must advance by 2 pi / `n_phases`, forwards or backwards, to some 20 degrees. If not, all other orders of
    the stack's axes are tried. Images without stripes tell nothing.

    Parameters
    ----------
    frames
        Whole acquisitions.
    vectors_per_um
        (orientation, 2) of order 1 as they are given or were found, cycles per um.
    settings
        The declared order.
    """
    images = _Images.some_of(frames, settings)
    correlator = ideal_correlator(images.frames, settings)
    declared = settings.axes_of_stack
    shown = _carriers(correlator, vectors_per_um, settings)
    labels = shown.labels()
    n = settings.n_orientations
    fit = images.fit(declared, labels, shown.phases)
    if fit.is_right:
        return None if fit.carriers == tuple(range(n)) else _exchanged(fit.carriers)
    # Vectors that were looked for in frames of several orientations may all be one.
    shown = _carriers(correlator, _all_vectors(correlator, settings), settings)
    labels = shown.labels()
    if np.mean(labels >= 0) < 0.5:
        return None
    fit = images.fit(declared, labels, shown.phases)
    if fit.is_right:
        return None
    others = [(images.fit(axes, labels, shown.phases), axes) for axes in images.other_orders()]
    best = max(others, key=lambda other: other[0].score, default=None)
    said = ", ".join(images.spoken(declared))
    if best is not None and best[0].is_right and best[0].score > fit.score + 0.1:
        return (
            f"The stripes of the images do not follow the order '{said}': "
            f"they fit '{', '.join(images.spoken(best[1]))}' (image_order)."
        )
    if fit.advance < _ADVANCE and fit.together >= _RIGHT:
        return (
            f"The phases of an orientation do not advance by 1/{settings.n_phases} of a period from image to image: "
            "is image_order right?"
        )
    if fit.together < _WRONG:
        return (
            f"The frames of an orientation show different stripes in the order '{said}': "
            "are image_order, n_orientations and n_phases right?"
        )
    return None


def _exchanged(carriers: tuple[int, ...]) -> str:
    order = ", ".join(str(carrier + 1) for carrier in carriers)
    return f"The frames of orientations 1 to {len(carriers)} show the stripes given for orientations {order}."


@dataclass(frozen=True)
class _Carriers:
    """What each image shows of each orientation's stripes: (image, orientation).

    Parameters
    ----------
    power
        Of the orders together, less that of the surroundings.
    contrast
        Power of order 1 or 2, the higher, over that of its surroundings.
    phases
        Of order 1, in rad.
    """

    power: Float
    contrast: Float
    phases: Float

    def relative(self, n_orientations: int) -> Float:
        """Return the power in units of what an orientation's own images show."""
        own = max(1, len(self.power) // n_orientations)
        strongest = np.sort(self.power, axis=0)[-own:]
        return np.asarray(self.power / np.maximum(np.median(strongest, axis=0), 1e-300))

    def labels(self) -> Index:
        """Return which orientation's stripes each image shows; -1 where it shows none, or not clearly."""
        relative = self.relative(self.power.shape[1])
        best = np.argmax(relative, axis=1)
        rows = np.arange(len(best))
        clear = (relative[rows, best] > _OWN) & (self.contrast[rows, best] > _SEEN)
        return np.where(clear, best, -1)


def _carriers(correlator: Correlator, vectors: Float, settings: SimSettings) -> _Carriers:
    n_images = len(correlator.frames.phase)
    shape = (n_images, len(vectors))
    power, contrast, phases = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    offsets = np.arange(-_AROUND_PX, _AROUND_PX + 1.0)
    beside = np.hypot(offsets[:, None], offsets) > _BESIDE_PX
    for image in range(n_images):
        product = correlator.products(np.array([image]))
        for d, vector in enumerate(vectors):
            for order in range(1, settings.n_orders):
                around = correlator.sampling.transform(product, order * vector, offsets)[0]
                peak, floor = around[_AROUND_PX, _AROUND_PX], float(np.mean(np.abs(around[beside]) ** 2))
                height = abs(peak) ** 2
                power[image, d] += max(height - floor, 0.0)
                contrast[image, d] = max(contrast[image, d], height / max(floor, 1e-300))
                if order == 1:
                    phases[image, d] = np.angle(peak)
    return _Carriers(power, contrast, phases)


def _all_vectors(correlator: Correlator, settings: SimSettings) -> Float:
    """Find the stripes of all orientations in all images together, whichever shows which."""
    products = correlator.products(np.arange(len(correlator.frames.phase)))
    search = searchable([products], correlator.sampling)
    found = []
    for _ in range(settings.n_orientations):
        found.append(find_vector(search, settings, correlator.sampling))
        search = search.without(found[-1])
    return np.stack(found)


@dataclass(frozen=True)
class _Fit:
    """How well an order of axes fits.

    Parameters
    ----------
    carriers
        Stripes that most images of each orientation show.
    together
        Share of images that show those of their orientation; 0 where two orientations show the same.
    advance
        How well phases follow their steps, 1 at best.
    """

    carriers: tuple[int, ...]
    together: float
    advance: float

    @property
    def score(self) -> float:
        return self.together + self.advance

    @property
    def is_right(self) -> bool:
        return self.together >= _RIGHT and self.advance >= _ADVANCE


@dataclass(frozen=True)
class _Images:
    """Some images of a stack, each on its own, and where in the stack they are.

    Parameters
    ----------
    frames
        (image, y, x).
    places
        (image,) index in the stack.
    counts
        How many there are of each of `IMAGE_AXES` in the stack.
    n_phases
        Phases.
    """

    frames: SimFrames
    places: Index
    counts: dict[str, int]

    @classmethod
    def some_of(cls, frames: SimFrames, settings: SimSettings) -> _Images:
        volume = frames.images if frames.images.ndim == 4 else frames.images[:, None]
        n_planes = volume.shape[1]
        n_times = int(frames.acquisition.max()) + 1
        n_images = n_times * settings.n_orientations * settings.n_phases * n_planes
        stack = arrangement(n_images, settings).images
        times = np.unique(np.linspace(0, n_times - 1, min(n_times, _MOST_ACQUISITIONS)).round().astype(np.int64))
        middle, n = n_planes // 2, min(n_planes, _MOST_PLANES)
        planes = np.arange(max(0, middle - n // 2), max(0, middle - n // 2) + n)
        which = np.flatnonzero(np.isin(frames.acquisition, times))
        frame, plane = (index.ravel() for index in np.meshgrid(which, planes, indexing="ij"))
        single = replace(frames.chosen(frame), images=volume[frame, plane])
        places = stack[single.acquisition, plane, single.orientation, single.phase]
        counts = dict(zip(IMAGE_AXES, (n_times, n_planes, settings.n_orientations, settings.n_phases), strict=True))
        return cls(single, places, counts)

    def spoken(self, axes: tuple[str, ...]) -> tuple[str, ...]:
        """Return the axes that there are several of, and those that must be named."""
        return tuple(a for a in axes if self.counts[a] > 1 or a in {"orientation", "phase"})

    def other_orders(self) -> Iterator[tuple[str, ...]]:
        """Return orders of the axes, once each of those that differ."""
        several = [axis for axis in IMAGE_AXES if self.counts[axis] > 1]
        single = tuple(axis for axis in IMAGE_AXES if self.counts[axis] == 1)
        for order in permutations(several):
            yield (*single, *order)

    def fit(self, axes: tuple[str, ...], labels: Index, phases: Float) -> _Fit:
        """See how well the images' stripes fit an order of axes, the slowest first."""
        at = dict(zip(axes, np.unravel_index(self.places, [self.counts[axis] for axis in axes]), strict=True))
        seen = labels >= 0
        n = self.counts["orientation"]
        votes = np.zeros((n, phases.shape[1]), np.int64)
        np.add.at(votes, (at["orientation"][seen], labels[seen]), 1)
        carriers = tuple(int(c) for c in votes.argmax(axis=1))
        distinct = len(set(carriers)) == n
        together = float(votes.max(axis=1).sum() / max(votes.sum(), 1)) if distinct else 0.0
        return _Fit(carriers, together, self._advance(at, carriers, phases, seen))

    def _advance(self, at: dict[str, Any], carriers: tuple[int, ...], phases: Float, seen: Any) -> float:
        """Return the mean over groups of |mean exp(i (phi - 2 pi p / P))|, of the direction that fits."""
        n = self.counts["phase"]
        own = phases[np.arange(len(phases)), np.asarray(carriers)[at["orientation"]]]
        group = np.ravel_multi_index(
            (at["time"], at["plane"], at["orientation"]), [self.counts[a] for a in ("time", "plane", "orientation")]
        )
        found = []
        for d in range(self.counts["orientation"]):
            sums = []
            for g in np.unique(group[at["orientation"] == d]):
                mine = (group == g) & seen
                if np.count_nonzero(mine) >= max(3, math.ceil(n / 2)):
                    turns = np.exp(1j * np.outer((-1, 1), 2 * np.pi * at["phase"][mine] / n))
                    sums.append(np.abs(np.mean(turns * np.exp(1j * own[mine]), axis=1)))
            if sums:
                found.append(float(np.mean(sums, axis=0).max()))
        return float(np.mean(found)) if found else 1.0
