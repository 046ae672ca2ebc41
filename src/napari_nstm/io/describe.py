"""What a store is, in lines for the `info` command."""

from __future__ import annotations

from pathlib import Path

from napari_nstm.core.warp import shift_transfer
from napari_nstm.io.record import Session, StoreRecord
from napari_nstm.io.result import open_result

# Cycles per pixel at which the loss of detail by resampling is told: near the finest that a pixel can show.
_FINE = 0.4
_STATUS = {
    "running": "running, or interrupted: it can be resumed",
    "stopped": "stopped early by the user",
    "finished": "finished",
    "diverged": "diverged: the last good state is kept",
}


def describe(path: str | Path) -> str:
    """Return lines that say what a result is, how it was made and how it went.

    Raises
    ------
    InputError, StoreError
        As `open_result`.
    """
    result = open_result(path)
    record = result.record
    rows = [
        ("store", str(result.path)),
        ("status", _status(record) + (f" ({record.message})" if record.message else "")),
        ("made", f"{record.created}, last written {record.updated}, run {record.run_id}"),
        ("modality", str(record.job.get("modality", "unknown"))),
        ("raw data", str(record.job.get("raw", "unknown"))),
        ("field", _field(record)),
        ("region", _region(record)),
        ("channels", ", ".join(c.name + (f" ({c.unit})" if c.unit else "") for c in record.channels)),
        ("times", _times(record)),
        ("comparisons", ", ".join(result.comparison_names)),
        ("fit", _fit(record)),
        ("resampling", _resampling(record)),
        ("loss", _loss(record)),
        ("refined", "; ".join(f"{name} {_numbers(values)}" for name, values in record.refined.items())),
        ("time spent", ", ".join(f"{name} {seconds:.3g} s" for name, seconds in record.timings_s.items())),
        ("device", record.device),
        *(("history", _session(one)) for one in record.history),
        ("versions", ", ".join(f"{name} {version}" for name, version in record.versions.items())),
        ("input", ", ".join(f"{name} sha256 {digest[:16]}" for name, digest in record.input_hashes.items())),
        *(("note", text) for text in record.notices),
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {text}" for name, text in rows if text)


def _session(one: Session) -> str:
    version = one.versions.get("napari-nstm", "")
    where = f" on {one.device}" if one.device else ""
    step = f" at step {one.step}" if one.step else ""
    return f"{one.what} {one.at}{where}{step}" + (f" (napari-nstm {version})" if version else "")


def _status(record: StoreRecord) -> str:
    if record.status == "finished" and record.awaits_comparisons:
        return "finished, but for slow comparisons: it can be resumed"
    return _STATUS[record.status]


def _field(record: StoreRecord) -> str:
    axes = "zyx"[-len(record.shape) :]
    pixels = " x ".join(map(str, record.shape))
    extent = " x ".join(f"{n * p:.4g}" for n, p in zip(record.shape, record.pixel_size_um, strict=True))
    size = " x ".join(f"{p:.4g}" for p in record.pixel_size_um)
    return f"{pixels} pixels ({', '.join(axes)}) of {size} um: {extent} um"


def _region(record: StoreRecord) -> str:
    region = record.job.get("region")
    if not (isinstance(region, list | tuple) and len(region) == 4):
        return ""
    top, left, rows, columns = region
    where = ", ".join(
        f"{axis} = {n:.4g}" for axis, n in zip("zyx"[-len(record.shape) :], record.origin_um, strict=False)
    )
    return f"rows {top} to {top + rows - 1}, columns {left} to {left + columns - 1} of the raw frames; from {where} um"


def _times(record: StoreRecord) -> str:
    first, last = record.frame_times_ms[0], record.frame_times_ms[-1]
    moments = len(record.times_ms)
    # Frame times stand for moments where one image holds them all: they are not counted as frames.
    return f"acquired from {first:g} to {last:g} ms; {moments} moment{'s' * (moments != 1)} reconstructed"


def _fit(record: StoreRecord) -> str:
    asked = record.job.get("fit")
    preset = asked.get("preset", "fast") if isinstance(asked, dict) else "fast"
    return f"preset {preset}, seed {record.seed}, step {record.step} of {record.n_steps}"


def _resampling(record: StoreRecord) -> str:
    n = record.fit.get("canvas_samples_per_pixel")
    if record.fit.get("rendering") != "canvas" or not isinstance(n, int) or n < 1:
        return ""
    half, worst = (shift_transfer(_FINE, shift, n) for shift in (0.5, 0.5 / n))
    return (
        f"canvas of {n} samples per pixel: of detail of {_FINE:g} cycles per pixel {half:.0%} is left at a shift "
        f"of half a pixel, {worst:.0%} at the worst shift"
    )


def _numbers(values: object) -> str:
    if isinstance(values, list) and all(isinstance(x, int | float) for x in values):
        return ", ".join(f"{x:.4g}" for x in values)
    return str(values)


def _loss(record: StoreRecord) -> str:
    known = [loss for loss in record.loss_history if loss is not None]
    return f"{known[0]:.4g} at first, {known[-1]:.4g} at last" if known else ""
