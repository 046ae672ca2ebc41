"""How well frames are explained: what is left of each, in units of its noise, and which stand out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

Float = NDArray[np.floating[Any]]

MARGIN_PX = 5
"""Band along the edges in y and x that is left out: some forward models do not fit it."""
NOISE_ONLY = (0.85, 1.25)
"""Residuals in noise units between these are noise: below, noise was fitted; above, something is not explained.

p parameters leave sqrt(1 - p / n) of the noise in n pixels. Two channels, limited to a passband that fills 0.58 of the
frequencies, so leave 0.84 of that of four DPC frames where nothing holds them back.
"""

_MAD = 0.6745  # median of |x| of Gaussian noise, in standard deviations
_ORDER, _HIGHER_ORDER = 4, 8  # of the differences
_ALIKE, _CHANCE = 0.06, 6.0  # how far both may differ where noise is white: share, and over the root of the pixels
_BLOCK_PX, _SMALLEST_PX = 32, 32
_STANDS_OUT = (0.1, 10.0, 3.0)  # above the median: share of it, share over the root of the pixels, deviations


class HasResidual(Protocol):
    """What is needed of a stored result."""

    @property
    def residual(self) -> Any:
        """(frame, [z,] y, x), read a frame at a time; None where there is none."""

    @property
    def frame_times_ms(self) -> tuple[float, ...]:
        """Mid-exposure times."""

    @property
    def channels(self) -> Sequence[Any]:
        """What the scene holds, with a `name` each."""


@dataclass(frozen=True)
class ResidualSummary:
    """What is left of the frames.

    Parameters
    ----------
    rms
        Of each image of the residual, in units of the normalised frames.
    noise
        Estimated standard deviation of the noise of each, in the same units; None: it cannot be estimated.
    worst
        Images that stand out, the worst first; empty: none does.
    times_ms
        Mid-exposure times of the images; the middle of the acquisition where one exposure gave them all.
    colors
        Names of the images, where they are the colours of one exposure.
    """

    rms: tuple[float, ...]
    noise: tuple[float, ...] | None
    worst: tuple[int, ...]
    times_ms: tuple[float, ...]
    colors: tuple[str, ...] = ()

    @property
    def overall(self) -> float:
        """Root mean square over all images."""
        return _rms(self.rms)

    @property
    def in_noise_units(self) -> float | None:
        """`overall`, in standard deviations of the noise; None where it is not known."""
        return None if self.noise is None else self.overall / _rms(self.noise)

    @property
    def ratios(self) -> tuple[float, ...] | None:
        """Likewise of each image."""
        if self.noise is None:
            return None
        return tuple(rms / noise for rms, noise in zip(self.rms, self.noise, strict=True))

    def name(self, index: int) -> str:
        """Return what a user calls an image: `frame 3`, counted from 1, or its colour."""
        return self.colors[index] if self.colors else f"frame {index + 1}"

    def sentence(self) -> str:
        """Say in a sentence how far the frames are explained, and which stand out."""
        return f"{self._explained()}{self._standing_out()}."

    def _explained(self) -> str:
        of_frames = len(self.rms) > 1 and not self.colors
        subject, verb = ("frames", "are") if of_frames else ("raw image", "is")
        what = f"{subject} {verb}"
        ratio = self.in_noise_units
        if ratio is None:
            share = f"{100 * self.overall:.2g} %"
            return f"The {what} explained to {share} of what counts as 1; the noise cannot be told from the residual"
        if ratio < NOISE_ONLY[0]:
            return f"Of the {subject} only {ratio:.2f} times the noise is left: noise was taken for sample or motion"
        if ratio <= NOISE_ONLY[1]:
            return f"The {what} explained to {ratio:.2f} times the noise"
        return f"The {what} explained only to {ratio:.2f} times the noise: structure is left in the residual"

    def _standing_out(self) -> str:
        if not self.worst:
            return ""
        ratios = self.ratios
        typical = float(np.median(self.rms))
        words = []
        for index in self.worst[:3]:
            size = f"{ratios[index]:.2f} times" if ratios else f"{self.rms[index] / typical:.1f} times the median"
            when = "" if self.colors else f"{self.times_ms[index]:.4g} ms, "
            words.append(f"{self.name(index)} ({when}{size})")
        more = len(self.worst) - len(words)
        words += [f"{more} more"] if more else []
        listed = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
        return f"; {listed} stand{'s' * (len(self.worst) == 1)} out"


def residual_summary(stored: HasResidual) -> ResidualSummary | None:
    """Measure the residual of a result, a frame at a time; takes about 0.1 s a megapixel.

    Parameters
    ----------
    stored
        The result.

    Returns
    -------
    ResidualSummary
        None where the store holds no residual.
    """
    residual = stored.residual
    if residual is None:
        return None
    rms, noise, n_pixels = [], [], 1
    for index in range(residual.shape[0]):
        image = inner(np.asarray(residual[index], np.float32))
        rms.append(math.sqrt(float(np.mean(np.square(image, dtype=np.float64)))))
        noise.append(noise_sigma(image))
        n_pixels = image.size
    known = None if any(one is None for one in noise) else tuple(float(one) for one in noise if one is not None)
    judged = rms if known is None else [a / b for a, b in zip(rms, known, strict=True)]
    times, colors = _images_of(stored, len(rms))
    return ResidualSummary(tuple(rms), known, standing_out(judged, n_pixels), times, colors)


def inner(image: Float) -> Float:
    """Return ([z,] y, x) without its margin; a small one whole."""
    rows, columns = image.shape[-2:]
    if min(rows, columns) < _SMALLEST_PX + 2 * MARGIN_PX:
        return image
    return image[..., MARGIN_PX : rows - MARGIN_PX, MARGIN_PX : columns - MARGIN_PX]


def noise_sigma(image: Float) -> float | None:
    """Estimate the standard deviation of white noise in an image, whatever smooth things it shows.

    Differences along y and x tell noise from structure (Immerkaer 1996, Comput. Vis. Image Underst. 64, 300, whose mask
    is the product of two second differences); here they are of fourth order: 99 % of what they pass lies beyond
    0.43 cycles per pixel, where lenses send nothing. The median of their magnitude in a block, over 0.6745, is its
    deviation (Donoho and Johnstone 1994, Biometrika 81, 425), not disturbed by single bright pixels; squares
    are averaged over blocks, as noise differs between bright and dark places.

    Parameters
    ----------
    image
        ([z,] y, x); planes of a volume are taken one by one.

    Returns
    -------
    float
        In the image's unit; None where it is too small, has no noise, or noise that is not white: differences of eighth
        order then tell another value, as in images that were smoothed, enlarged, or filled in from a mosaic of colours.
    """
    if min(image.shape[-2:]) < _SMALLEST_PX or not np.all(np.isfinite(image)):
        return None
    planes = image.reshape(-1, *image.shape[-2:])
    of_planes = [[_variance(plane, order) for plane in planes] for order in (_ORDER, _HIGHER_ORDER)]
    sigma, higher = (math.sqrt(float(np.mean(variances))) for variances in of_planes)
    # Rounding to the precision of float32 is no noise.
    if higher <= 1e-6 * float(np.abs(image).max()):
        return None
    alike = 1 + _ALIKE + _CHANCE / math.sqrt(image.size)
    return sigma if 1 / alike < sigma / higher < alike else None


def standing_out(values: Sequence[float], n_pixels: int) -> tuple[int, ...]:
    """Return which values lie far above the others, the largest first.

    Far is more than three deviations (1.4826 times the median distance from the median), more than a tenth of the
    median, and more than chance: estimates of noise scatter by some 2.5 over the root of the pixels. So frames that are
    alike give none. Of fewer than three nobody can say.

    Parameters
    ----------
    values
        Residual of each image, in noise units or not.
    n_pixels
        Of an image.
    """
    found = np.asarray(values, np.float64)
    if len(found) < 3:
        return ()
    median = float(np.median(found))
    deviation = float(np.median(np.abs(found - median))) / _MAD
    share, chance, deviations = _STANDS_OUT
    limit = median + max(max(share, chance / math.sqrt(n_pixels)) * median, deviations * deviation)
    return tuple(int(index) for index in np.argsort(-found, kind="stable") if found[index] > limit)


def _variance(plane: Float, order: int) -> float:
    """Return the variance of white noise that gives the differences of a plane."""
    mask = np.asarray([(-1) ** k * math.comb(order, k) for k in range(order + 1)], np.float64)
    mask /= np.linalg.norm(mask)  # white noise keeps its deviation
    half = order // 2
    differences = correlate1d(correlate1d(plane, mask, axis=0), mask, axis=1)[half:-half, half:-half]
    blocks = (
        block
        for rows in np.array_split(np.abs(differences), max(1, len(differences) // _BLOCK_PX), axis=0)
        for block in np.array_split(rows, max(1, rows.shape[1] // _BLOCK_PX), axis=1)
    )
    return float(np.mean([(float(np.median(block)) / _MAD) ** 2 for block in blocks]))


def _images_of(stored: HasResidual, n_images: int) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """Return times of the images, and their names where they are colours."""
    times = stored.frame_times_ms
    if n_images == len(times):
        return tuple(times), ()
    # One exposure, spread over the moments that stand for frames.
    names = tuple(channel.name for channel in stored.channels) if n_images == len(stored.channels) > 1 else ()
    return ((times[0] + times[-1]) / 2,) * n_images, names


def _rms(values: Sequence[float]) -> float:
    return math.sqrt(float(np.mean(np.square(values))))
