"""The command `residuals`: how far the frames of a result are explained."""

from __future__ import annotations

from pathlib import Path

from napari_nstm.core.errors import InputError


def describe_residuals(store: Path) -> str:
    """Return a sentence, and a line for each frame.

    Raises
    ------
    InputError
        If the result has no residual.
    """
    from napari_nstm.analysis.residuals import residual_summary
    from napari_nstm.io.store import open_result
    from napari_nstm.io.text import time_texts

    summary = residual_summary(open_result(store))
    if summary is None:
        raise InputError("store", f"{store}, which has no residual", "a result whose run came to its full size")
    ratios = summary.ratios
    unit = "residual, noise = 1" if ratios else "residual, of what counts as 1"
    rows = [("colour" if summary.colors else "frame", "time", unit)]
    for index, (rms, time) in enumerate(zip(summary.rms, time_texts(list(summary.times_ms)), strict=True)):
        label = summary.colors[index] if summary.colors else str(index + 1)
        number = f"{ratios[index]:.2f}" if ratios else f"{rms:.3g}"
        rows.append((label, time, f"{number}  stands out" if index in summary.worst else number))
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines = [f"{label:>{widths[0]}}  {time:>{widths[1]}}  {value}" for label, time, value in rows]
    return "\n".join([summary.sentence(), *lines])
