"""How close a reconstruction comes to the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.floating[Any]]


def psnr(image: Image, truth: Image, margin: int = 20, match_mean: bool = True, ndim: int = 2) -> float:
    """Return the peak signal-to-noise ratio in dB: 10 log10(range(truth)^2 / mean squared error).

    Parameters
    ----------
    image, truth
        (..., [z,] y, x), of one shape; leading axes are frames.
    margin
        Pixels along every edge in y and x that do not count.
    match_mean
        Whether the mean of each frame is first shifted to the truth's, for quantities without an absolute value.
    ndim
        Spatial axes of a frame.

    Returns
    -------
    float
        Over all frames together; infinite where they are equal.

    Raises
    ------
    ValueError
        If shapes differ, the margin leaves nothing, or the truth is constant.
    """
    found, wanted = _compared(image, truth, margin, match_mean, ndim)
    error = float(np.mean((found - wanted) ** 2))
    return float("inf") if error == 0 else 10 * float(np.log10(_range(wanted) ** 2 / error))


def psnr_scaled(image: Image, truth: Image, margin: int = 10, ndim: int = 2) -> float:
    """Return the PSNR in dB after the offset and scale that fit the truth best, one of each for all frames.

    For pictures whose brightness means nothing. Parameters and errors as for `psnr`.
    """
    found, wanted = _compared(image, truth, margin, False, ndim)
    columns = np.stack([found.ravel(), np.ones(found.size)], axis=1)
    fitted = columns @ np.linalg.lstsq(columns, wanted.ravel(), rcond=None)[0]
    error = float(np.mean((fitted - wanted.ravel()) ** 2))
    return float("inf") if error == 0 else 10 * float(np.log10(_range(wanted) ** 2 / error))


def best_constant_psnr(truth: Image, margin: int = 20, ndim: int = 2) -> float:
    """Return the PSNR in dB of the best picture without content: the truth's mean in every frame.

    A reconstruction has to be better than this to show anything. Parameters are those of `psnr`.
    """
    return psnr(np.zeros_like(truth), truth, margin, match_mean=True, ndim=ndim)


def ssim(image: Image, truth: Image, margin: int = 20, match_mean: bool = True, ndim: int = 2) -> float:
    """Return the structural similarity (Wang et al. 2004: Gaussian windows, sigma 1.5), mean over frames.

    Parameters and errors are those of `psnr`; the dynamic range is the truth's.
    """
    from skimage.metrics import structural_similarity

    found, wanted = _compared(image, truth, margin, match_mean, ndim)
    data_range = _range(wanted)
    frames = zip(_frames(found, ndim), _frames(wanted, ndim), strict=True)
    options: dict[str, Any] = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    similarity: Any = structural_similarity
    return float(np.mean([similarity(a, b, data_range=data_range, **options) for a, b in frames]))


def _compared(
    image: Image, truth: Image, margin: int, match_mean: bool, ndim: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if np.shape(image) != np.shape(truth):
        raise ValueError(f"images of shapes {np.shape(image)} and {np.shape(truth)}")
    rows, columns = truth.shape[-2:]
    if margin < 0 or min(rows, columns) <= 2 * margin:
        raise ValueError(f"a margin of {margin} px leaves nothing of {rows} x {columns} px")
    inside = (..., slice(margin, rows - margin), slice(margin, columns - margin))
    found, wanted = np.asarray(image, np.float64)[inside], np.asarray(truth, np.float64)[inside]
    if match_mean:
        axes = tuple(range(-ndim, 0))
        found = found + (wanted - found).mean(axis=axes, keepdims=True)
    return found, wanted


def _range(truth: NDArray[np.float64]) -> float:
    extent = float(truth.max() - truth.min())
    if extent == 0:
        raise ValueError("the truth is constant: there is no range to compare with")
    return extent


def _frames(stack: NDArray[np.float64], ndim: int) -> NDArray[np.float64]:
    return stack.reshape(-1, *stack.shape[-ndim:])
