"""Are the images in the order that is declared? What stripes each of them shows tells."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_nstm.imaging.sim.estimate.carriers import Carriers, carriers_in, vectors_of_all
from napari_nstm.imaging.sim.estimate.correlate import ideal_correlator
from napari_nstm.imaging.sim.estimate.problems import named
from napari_nstm.imaging.sim.frames import SimFrames, arrangement
from napari_nstm.imaging.sim.settings import IMAGE_AXES, SimSettings

Float = NDArray[np.floating[Any]]
Index = NDArray[np.int64]

_MOST_ACQUISITIONS = 4
_MOST_PLANES = 4
_RIGHT, _WRONG = 0.9, 0.7  # shares of images that show their orientation's stripes
_ADVANCE = 0.75
_BETTER = 0.1
_FEWEST, _FEW = 0.5, 0.15  # shares of images that must show stripes to speak of their order, or of their number
_MOST_ABSENT = 0.25


def check_order(frames: SimFrames, vectors_per_um: Float, settings: SimSettings) -> str | None:
    """Say what is wrong with the declared order of images: a sentence, or None.

    The frames of an orientation must show one kind of stripes, another one than those of other orientations, and their
    phases must advance by 2 pi / `n_phases`, forwards or backwards, to some 40 degrees. If not, all other orders of
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
    shown = carriers_in(correlator, vectors_per_um, settings.n_orders)
    fit = images.fit(declared, shown)
    if fit.is_right and np.mean(shown.absent) < _MOST_ABSENT:
        n = len(fit.carriers)
        if fit.carriers == tuple(range(n)):
            return None
        return f"The frames of {named(range(n))} show the stripes given for {named(fit.carriers)}."
    # Vectors that were looked for in frames of several orientations may all be one.
    shown = carriers_in(correlator, vectors_of_all(correlator, settings), settings.n_orders)
    fit, seen = images.fit(declared, shown), float(np.mean(shown.labels >= 0))
    if np.mean(shown.absent) >= _MOST_ABSENT and seen >= _FEW:
        return (
            f"{100 * (1 - seen):.0f} % of the images show none of the stripes of the others: "
            "are n_orientations, n_phases and image_order right?"
        )
    if fit.is_right or seen < _FEWEST:
        return None
    return _complaint(images, declared, fit, shown)


def _complaint(images: _Images, declared: tuple[str, ...], fit: _Fit, shown: Carriers) -> str | None:
    """Say why a declared order does not fit, and which one does."""
    others = ((images.fit(axes, shown), axes) for axes in images.orders())
    best, axes = max(others, key=lambda other: other[0].score)
    if best.is_right and best.score > fit.score + _BETTER:
        return (
            f"The stripes of the images do not follow the order '{images.spoken(declared)}': "
            f"they fit '{images.spoken(axes)}' (image_order)."
        )
    if fit.together < _WRONG:
        return (
            f"The frames of an orientation show different stripes in the order '{images.spoken(declared)}': "
            "are image_order, n_orientations and n_phases right?"
        )
    if fit.together >= _RIGHT and fit.advance < _ADVANCE:
        return (
            f"The phases of an orientation do not advance by 1/{images.counts['phase']} of a period from image to "
            "image: is image_order right?"
        )
    return None


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
    """

    frames: SimFrames
    places: Index
    counts: dict[str, int]

    @classmethod
    def some_of(cls, frames: SimFrames, settings: SimSettings) -> _Images:
        volume = frames.images if frames.images.ndim == 4 else frames.images[:, None]
        n_planes, n_times = volume.shape[1], int(frames.acquisition.max()) + 1
        counts = dict(zip(IMAGE_AXES, (n_times, n_planes, settings.n_orientations, settings.n_phases), strict=True))
        times = np.unique(np.linspace(0, n_times - 1, min(n_times, _MOST_ACQUISITIONS)).round())
        n = min(n_planes, _MOST_PLANES)
        planes = np.arange(n) + (n_planes - n) // 2
        which = np.flatnonzero(np.isin(frames.acquisition, times))
        frame, plane = (index.ravel() for index in np.meshgrid(which, planes, indexing="ij"))
        single = replace(
            frames,
            images=volume[frame, plane],
            acquisition=frames.acquisition[frame],
            orientation=frames.orientation[frame],
            phase=frames.phase[frame],
        )
        stack = arrangement(math.prod(counts.values()), settings).images
        places = stack[single.acquisition, plane, single.orientation, single.phase]
        return cls(single, places, counts)

    def spoken(self, axes: tuple[str, ...]) -> str:
        """Return the axes that must be named: those that there are several of, orientation and phase."""
        return ", ".join(a for a in axes if self.counts[a] > 1 or a in {"orientation", "phase"})

    def orders(self) -> Iterator[tuple[str, ...]]:
        """Return all orders of the axes, once each of those that differ."""
        several = [axis for axis in IMAGE_AXES if self.counts[axis] > 1]
        single = tuple(axis for axis in IMAGE_AXES if self.counts[axis] == 1)
        for order in permutations(several):
            yield (*single, *order)

    def fit(self, axes: tuple[str, ...], shown: Carriers) -> _Fit:
        """See how well the images' stripes fit an order of axes, the slowest first."""
        at = dict(zip(axes, np.unravel_index(self.places, [self.counts[axis] for axis in axes]), strict=True))
        labels, n = shown.labels, self.counts["orientation"]
        seen = labels >= 0
        votes = np.zeros((n, shown.power.shape[1]), np.int64)
        np.add.at(votes, (at["orientation"][seen], labels[seen]), 1)
        carriers = tuple(int(c) for c in votes.argmax(axis=1))
        distinct = len(set(carriers)) == n
        together = float(votes.max(axis=1).sum() / max(votes.sum(), 1)) if distinct else 0.0
        own = shown.phases_rad[np.arange(len(labels)), np.asarray(carriers)[at["orientation"]]]
        return _Fit(carriers, together, self._advance(at, own, seen))

    def _advance(self, at: dict[str, Index], phases: Float, seen: NDArray[np.bool_]) -> float:
        """Return |mean exp(i (phi - 2 pi p / P))| of each group of phases, or with + for -: the mean over all."""
        n = self.counts["phase"]
        turns = np.exp(1j * (phases + np.outer((-1, 1), 2 * np.pi * at["phase"] / n)))
        group = np.stack([at["time"], at["plane"], at["orientation"]])
        found: dict[int, list[Float]] = {}
        for which in np.unique(group, axis=1).T:
            mine = seen & np.all(group == which[:, None], axis=0)
            if np.count_nonzero(mine) >= max(3, math.ceil(n / 2)):
                found.setdefault(int(which[2]), []).append(np.abs(turns[:, mine].mean(axis=1)))
        # The stripes of an orientation advance in one direction.
        return float(np.mean([np.mean(sums, axis=0).max() for sums in found.values()])) if found else 1.0
