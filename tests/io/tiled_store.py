"""A field in tiles whose scene and motion are known, each tile in a gauge of its own, as fits leave them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import spline_filter

from napari_nstm.core.data import Comparison
from napari_nstm.core.grids import Channel
from napari_nstm.core.presentation import ChannelPresentation
from napari_nstm.core.tiles import TilePlan, plan_tiles, tile_path
from napari_nstm.core.warp import Canvas, MotionLattice, positions
from napari_nstm.io.store import StoredResult, StoreRecord, StoreWriter

TIMES_MS = (0.0, 10.0, 25.0)
SCALE = 2.0  # of the first channel, as its normalisation took off
PIXEL_UM = 0.5
PADDING_PX = 8


def plan(field=(96, 128), tile_px=48) -> TilePlan:
    return plan_tiles(field, tile_px, reach_px=4, motion_px=4, blend_px=6)


def scene(where):
    """(2, y, x): what is at positions of the first moment."""
    y, x = where[-2:]
    absorption = 0.3 * np.cos(0.11 * x + 0.02 * y) * np.sin(0.13 * y)
    return np.stack([absorption, 0.5 * np.sin(0.09 * x) * np.cos(0.12 * y) + 0.004 * x + 0.002 * y])


def looked_up(where, share):
    """x + dx(x, t): what is at x was there at the first moment; `share` of the acquisition has passed."""
    y, x = where[-2:]
    dy = -share * (2.5 + 1.0 * np.sin(0.05 * x))
    dx = share * (1.5 + 1.0 * np.cos(0.04 * y))
    return np.stack([*where[:-2], y + dy, x + dx])


@dataclass(frozen=True)
class Gauge:
    """Where a tile's scene lies: its position q(x) is x of the first moment."""

    shift: tuple[float, float]
    bend: float

    def __call__(self, where):
        y, x = where[-2:]
        bent = (self.shift[0] + self.bend * np.sin(0.06 * x), self.shift[1] + self.bend * np.cos(0.05 * y))
        return np.stack([*where[:-2], y + bent[0], x + bent[1]])

    def undone(self, where):
        found = where
        for _ in range(40):
            found = found + where - self(found)
        return found


def gauges(n):
    random = np.random.default_rng(5)
    return [Gauge(tuple(random.uniform(-2, 2, 2)), random.uniform(-1, 1)) for _ in range(n)]


def record_of(shape, factor=1, **changes) -> StoreRecord:
    return StoreRecord(
        run_id="run",
        job={"nstm": 1, "modality": "dpc", "raw": "raw.tif", "acquisition": {"pixel_size_um": PIXEL_UM}},
        fit={"rendering": "canvas"},
        shape=shape,
        pixel_size_um=(PIXEL_UM,) * (len(shape) - 2) + (PIXEL_UM / factor,) * 2,
        channels=(Channel("absorption", ""), Channel("phase", "rad")),
        presentation=(ChannelPresentation(scale=SCALE), ChannelPresentation(zero_mean=True)),
        frame_times_ms=TIMES_MS,
        times_ms=TIMES_MS,
        n_steps=100,
    ).changed(changes)


def grid(n_px, per_px):
    """Positions of a lattice over so many pixels and a border."""
    axes = [np.arange(-PADDING_PX, n + PADDING_PX + s, s) for n, s in zip(n_px, per_px, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"))


def write_tile(
    path, tile, gauge, *, factor=1, planes=0, constant=0.0, wrong=0.0, status="finished", frames=True, spacing_px=4.0
):
    """Write what a fit leaves of a tile; `wrong` is added to its absorption."""
    start = np.reshape([0.0] * bool(planes) + [n * factor for n in tile.fitted[:2]], (-1, *(1,) * (2 + bool(planes))))
    lateral = tuple(n * factor for n in tile.fitted[2:])
    shape = ((planes,) if planes else ()) + lateral
    steps = (1.0,) * bool(planes) + (0.5, 0.5)
    where = grid(shape, steps)
    # The scene is looked up at q of where it was at first; so it holds at z what was at the inverse of q.
    values = scene(gauge.undone(where + start) / factor)
    values = values * np.reshape([1 / SCALE, 1.0], (2, *(1,) * len(shape)))
    if planes:
        values = values * (1 + 0.1 * where[0])
    values[0] += wrong / SCALE
    values[1] += constant
    coefficients = np.stack([spline_filter(one, 3) for one in values]).astype(np.float32)
    canvas = Canvas(coefficients, (-float(PADDING_PX),) * len(shape), steps, 3)
    steps = (2.0,) * bool(planes) + (spacing_px,) * 2
    where = grid(shape, steps)
    shares = np.linspace(0, 1, 6)
    moved = [gauge(looked_up((where + start) / factor, share) * factor) - where - start for share in shares]
    motion = MotionLattice(np.asarray(moved, np.float32), (-float(PADDING_PX),) * len(shape), steps)
    record = record_of(shape, factor, origin_um=(0.0,) * bool(planes) + tuple(n * PIXEL_UM for n in tile.fitted[:2]))
    path.parent.mkdir(exist_ok=True)
    writer = StoreWriter.create(path, record)
    if status == "running":
        writer.checkpoint(canvas, motion, {}, step=40)
        return
    raw = positions(tile.fitted[2:]) + np.reshape(tile.fitted[:2], (2, 1, 1))
    still = scene(raw if not planes else np.broadcast_to(raw[:, None], (2, *shape)))
    still = np.repeat(np.repeat(still, factor, axis=-2), factor, axis=-1)
    writer.finish(
        status,
        canvas,
        motion,
        {},
        comparisons=[
            Comparison("conventional", (12.5,), still[None] + np.reshape([0, constant], (2, *(1,) * len(shape))))
        ],
        residual=np.stack([raw[0] + 1000 * frame for frame in range(3)]) if frames else None,
        step=100,
        timings_s={"fit": 2.0},
    )


def write_whole(path, of=None, *, factor=1, planes=0, **changes) -> StoredResult:
    """Write a store in tiles that are not blended yet: constants and gauges differ from tile to tile."""
    of = of or plan()
    shape = ((planes,) if planes else ()) + tuple(math.ceil(n * factor) for n in of.field_px)
    writer = StoreWriter.create(path, record_of(shape, factor, tiles=of))
    for tile, gauge in zip(of.tiles, gauges(len(of.tiles)), strict=True):
        options = {"constant": 0.3 * (-1) ** tile.index * (1 + tile.index), **changes.get(f"tile_{tile.index}", {})}
        if options.pop("missing", False):
            continue
        write_tile(tile_path(writer.path, tile.index), tile, gauge, factor=factor, planes=planes, **options)
    from napari_nstm.io.store import open_result

    return open_result(writer.path)


def true_scene(shape, time_ms, factor=1):
    """(c, [z,] y, x) in physical units; the phase has zero mean."""
    where = positions(shape[-2:]).astype(np.float64) / factor
    found = scene(looked_up(where, time_ms / TIMES_MS[-1]))
    if len(shape) == 3:
        found = found[:, None] * (1 + 0.1 * np.arange(shape[0])[:, None, None])
    found[1] -= found[1].mean()
    return found


def true_u_um(shape, time_ms, factor=1):
    """U since the first frame: x + u is looked up at x."""
    where = positions(shape).astype(np.float64) / factor
    found = where
    for _ in range(60):
        found = found + where - looked_up(found, time_ms / TIMES_MS[-1])
    return (found - where) * PIXEL_UM
