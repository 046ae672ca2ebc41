"""The illumination of structured illumination frames, of samples at rest and of moving ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_nstm.imaging.sim.estimate.correlate import Correlator
from napari_nstm.imaging.sim.estimate.depths import fit_depths
from napari_nstm.imaging.sim.estimate.expected import Counted
from napari_nstm.imaging.sim.estimate.phases import Phases, fit_phases, peaks_at
from napari_nstm.imaging.sim.estimate.problems import problems_of
from napari_nstm.imaging.sim.estimate.sampling import Sampling
from napari_nstm.imaging.sim.estimate.vectors import find_vector, refine_vector, searchable
from napari_nstm.imaging.sim.frames import SimFrames
from napari_nstm.imaging.sim.otf import OtfTable
from napari_nstm.imaging.sim.settings import SimSettings

Float = NDArray[np.floating[Any]]

# What the way of finding depths adds to their statistical error, relative: order 1 and order 2 of simulated samples.
_METHOD_ERRORS = (0.05, 0.08)
_LEAST_ERROR = 0.01
# Frequencies of at least some times the noise, from which depths are found once more; and by how much they may differ.
_STRONG, _DISAGREE = 5.0, 0.25


@dataclass(frozen=True)
class StripeEstimate:
    """Stripes as found in frames, 1 + m1 cos(a) + m2 cos(2 a) with a = 2 pi (ky y + kx x) + phi.

    Parameters
    ----------
    vectors_per_um
        (orientation, 2): ky and kx of order 1, cycles per um. Of the two signs that are alike, kx > 0 (kx == 0 and
        ky > 0); given vectors, and those that belong to given phases, keep theirs.
    phases_rad
        (frame,) of order 1 at pixel (height // 2, width // 2), in (-pi, pi].
    depths
        (orientation, order): 1, m1[, m2].
    vector_significance
        (orientation,) strength of the peak of order 1 over its standard error: some 20 to 500 for stripes,
        under 8 for frames without.
    phase_errors_rad
        (frame,) standard error of each phase; 0 for given ones.
    depth_errors
        (orientation, order), likewise.
    problems
        What is not to be trusted, a sentence each.
    """

    vectors_per_um: Float
    phases_rad: Float
    depths: Float
    vector_significance: Float
    phase_errors_rad: Float
    depth_errors: Float
    problems: tuple[str, ...]


def estimate_stripes(
    frames: SimFrames,
    settings: SimSettings,
    table: OtfTable,
    given_vectors: Float | None = None,
    given_phases: Float | None = None,
    given_depths: Float | None = None,
    *,
    refine: bool = False,
    table_for: Callable[[Float], OtfTable] | None = None,
) -> StripeEstimate:
    """Find the vectors, phases and depths of the stripes; what is given is kept.

    The phase of each frame comes from that frame (`correlate`), less what the frames of an orientation share
    (`phases`): nothing is assumed to be at rest.

    Parameters
    ----------
    frames
        Whole acquisitions; planes of a volume count together.
    settings
        Optics, and the lines' spacing if it is known.
    table
        The OTF, of which vectors and phases need the focus only.
    given_vectors
        (orientation, 2) of order 1, cycles per um.
    given_phases
        (frame,) in rad.
    given_depths
        (orientation, order); NaN where they are to be found.
    refine
        Take given vectors for a start only, good to 3 pixels of frequency.
    table_for
        Makes the OTF for vectors that were found: in a volume order 1 depends on them, and its depth on it.
    """
    correlator = Correlator(frames, settings, table)
    n, n_orders = settings.n_orientations, settings.n_orders
    known = None if given_phases is None else np.asarray(given_phases, np.float64)
    starts = [None] * n if given_vectors is None else list(np.asarray(given_vectors, np.float64))
    found = [_orientation(correlator, settings, d, start, known, refine) for d, start in enumerate(starts)]
    vectors = np.stack([one.vector for one in found])
    phases, errors = np.zeros(len(frames.phase)), np.zeros(len(frames.phase))
    for one in found:
        for group, fit in zip(one.groups, one.fits, strict=True):
            phases[group], errors[group] = fit.phases_rad, fit.errors_rad
    if known is not None:
        phases = known.copy()

    depths = np.full((n, n_orders), np.nan) if given_depths is None else np.array(given_depths, np.float64)
    depths[:, 0] = 1.0
    open_ = np.isnan(depths)
    depth_errors = np.zeros((n, n_orders))
    if open_.any():
        otf = table if table_for is None or (given_vectors is not None and not refine) else table_for(vectors)
        for d in np.flatnonzero(open_.any(axis=1)):
            values, spread = _depths(correlator, otf, int(d), vectors[d], phases, n_orders)
            depths[d, open_[d]], depth_errors[d, open_[d]] = values[open_[d]], spread[open_[d]]
    significance = np.array([one.significance for one in found])
    problems = problems_of(
        vectors=vectors,
        significance=significance,
        misfits=np.array([one.misfit for one in found]),
        phase_errors=np.stack([[errors[g].max() for g in one.groups] for one in found]).max(axis=1),
        depths=depths,
        depth_errors=depth_errors,
    )
    return StripeEstimate(vectors, phases, depths, significance, errors, depth_errors, problems)


@dataclass(frozen=True)
class _Orientation:
    """What was found of one orientation: for each acquisition, its frames and their phases."""

    vector: Float
    groups: list[NDArray[np.int64]]
    fits: list[Phases]

    @property
    def significance(self) -> float:
        return float(np.sqrt(np.mean([(fit.amplitudes[0] / fit.amplitude_errors[0]) ** 2 for fit in self.fits])))

    @property
    def misfit(self) -> float:
        return float(np.mean([fit.misfit for fit in self.fits]))


def _orientation(
    correlator: Correlator,
    settings: SimSettings,
    orientation: int,
    start: Float | None,
    known: Float | None,
    refine: bool,
) -> _Orientation:
    sampling, n_orders = correlator.sampling, settings.n_orders
    some = {int(a): correlator.products(correlator.group(a, orientation)) for a in correlator.some_acquisitions}
    shown = list(some.values())
    vector = start
    if vector is None or refine:
        near = find_vector(searchable(shown, sampling), settings, sampling, start)
        vector = refine_vector(shown, near, n_orders, sampling)
    if start is None:
        vector = vector if (vector[1], vector[0]) > (0, 0) else -vector
    if start is None and known is not None:
        phases = [known[correlator.group(a, orientation)] for a in some]
        vector = vector * _sign(shown, phases, vector, sampling)
    groups, fits = [], []
    for a in correlator.acquisitions:
        group = correlator.group(a, orientation)
        products = some[a] if a in some else correlator.products(group)
        peaks = peaks_at(products, vector, n_orders, sampling)
        groups.append(group)
        fits.append(fit_phases(peaks, None if known is None else known[group]))
    return _Orientation(vector, groups, fits)


def _sign(products: Sequence[Float], phases: Sequence[Float], vector: Float, sampling: Sampling) -> int:
    """Return the sign of a vector under which given phases fit: the frames add up at +vector, or at -vector."""
    forwards, backwards = 0.0, 0.0
    for shown, known in zip(products, phases, strict=True):
        peak = sampling.transform(shown, vector)
        forwards += float(np.mean(peak * np.exp(-1j * known)).real)
        backwards += float(np.mean(peak.conj() * np.exp(-1j * known)).real)
    return 1 if forwards >= backwards else -1


def _depths(
    correlator: Correlator, table: OtfTable, orientation: int, vector: Float, phases: Float, n_orders: int
) -> tuple[Float, Float]:
    """Return 1, m1[, m2] and their errors: statistical, of the method, and how far parts of the spectrum disagree."""
    every, error = _depths_of(correlator, table, orientation, Counted.of(correlator, vector, n_orders), phases)
    strong = Counted.of(correlator, vector, n_orders, _STRONG)
    some, _ = _depths_of(correlator, table, orientation, strong, phases)
    statistical_and_method = every[1:] * np.hypot(error, _METHOD_ERRORS[: n_orders - 1])
    errors = np.maximum(statistical_and_method, _LEAST_ERROR)
    # The depth of order 1, found well from part of the frequencies too, depends on which only if H is not right.
    if some[1] > 0 and abs(some[1] / max(every[1], 1e-9) - 1) > _DISAGREE:
        errors = np.maximum(errors, np.abs(some - every)[1:])
    return every, np.concatenate([[0.0], errors])


def _depths_of(
    correlator: Correlator, table: OtfTable, orientation: int, counted: Counted, phases: Float
) -> tuple[Float, Float]:
    """Return 1, m1[, m2], and the relative statistical errors of m1[, m2]."""
    sampling, filters = correlator.sampling, correlator.filters
    mask = counted.mask(*sampling.frequencies(), filters.power, filters.noise)
    fits = []
    for a in correlator.some_acquisitions:
        group = correlator.group(a, orientation)
        peaks = peaks_at(correlator.products(group, mask), counted.vector_per_um, counted.n_orders, sampling)
        fits.append(fit_phases(peaks, phases[group]))
    amplitudes = np.mean([fit.amplitudes for fit in fits], axis=0)
    error = np.sqrt(np.mean([fit.amplitude_errors**2 for fit in fits], axis=0) / len(fits))
    depths = fit_depths(correlator, table, orientation, counted, amplitudes)
    return depths, error / np.maximum(np.abs(amplitudes), 1e-300)
