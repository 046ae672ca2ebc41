"""The conventional reconstruction: Tikhonov, as if nothing moved."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from napari_nstm.imaging.dpc.optics import TransferFunctions


def tikhonov(
    frames: NDArray[np.float32],
    transfer: TransferFunctions,
    regularization_absorption: float,
    regularization_phase: float,
) -> NDArray[np.float32]:
    """Solve for absorption and phase, two unknowns per frequency.

    Minimises the mean over frames and pixels of (prediction - frame)^2, plus the weights times the
    mean squared absorption and phase: the loss that a fit minimises as well.

    Parameters
    ----------
    frames
        (frame, y, x) contrast on a periodic field, one or more whole acquisitions in a row.
    transfer
        Transfer functions of one acquisition on that field.
    regularization_absorption, regularization_phase
        Weights.

    Returns
    -------
    NDArray
        (2, y, x): absorption, and phase in rad.
    """
    shape = frames.shape[1:]
    half = transfer.half_plane()
    n_conditions = len(half.absorption)
    acquisitions = frames.reshape(-1, n_conditions, *shape)
    # Acquisitions share their transfer functions: the fit to all is the fit to their mean.
    measured = fft.rfft2(acquisitions.mean(axis=0).astype(np.float64))
    Hu, Hp = half.absorption.astype(np.float64), half.phase.astype(np.float64)
    # With q = i phi^ every coefficient is real: measured = Hu mu^ + Hp q.
    uu = (Hu**2).mean(axis=0) + regularization_absorption
    pp = (Hp**2).mean(axis=0) + regularization_phase
    up = (Hu * Hp).mean(axis=0)
    to_u, to_p = (Hu * measured).mean(axis=0), (Hp * measured).mean(axis=0)
    determinant = uu * pp - up**2
    absorption = (pp * to_u - up * to_p) / determinant
    phase = -1j * (uu * to_p - up * to_u) / determinant
    return np.stack([fft.irfft2(x, s=shape) for x in (absorption, phase)]).astype(np.float32)
