"""Draws the pictures of the page on DiffuserCam: its shutters, and the movie of a simulated raw image.

python docs/make_diffusercam_figures.py [shutter] [hand]
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from make_figures import BACKGROUND, FAINT, IMAGES, INK, LINE, LIT
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

import napari_nstm
from napari_nstm.analysis.metrics import psnr_scaled
from napari_nstm.core.events import Event, Finished, Notice
from napari_nstm.imaging.base import SimulationRequest
from napari_nstm.imaging.diffusercam.settings import DiffuserCamSettings
from napari_nstm.imaging.diffusercam.shutter import overlaps, rolling_shutter
from napari_nstm.imaging.registry import modality

QUALITY = {"shutter": 80, "hand": 72}  # of 100
BRIGHT = 99.7  # percentile that is shown white
Picture = NDArray[np.floating]

# -- shutters -----------------------------------------------------------------

N_ROWS, EXPOSURE_ROWS, SHIFT_ROWS = 60, 9, 10
PANEL, GAP, LEFT, TOP, BELOW = 200, 26, 72, 54, 64
CELLS = 4 * PANEL  # along time
LIGHT = (104, 158, 214)
SHUTTERS = (
    ("dual", "dual", 0),
    ("dual", f"dual, shifted by {SHIFT_ROWS}", SHIFT_ROWS),
    ("dual_outward", "dual_outward", 0),
    ("single", "single", 0),
    ("single_reversed", "single_reversed", 0),
    ("global", "global", 0),
)


def exposures(kind: str, shift: int) -> tuple[Picture, float]:
    """Return what is open, (row, time) from 0 to 1, over the time of the longest shutter, and where it ends."""
    settings = DiffuserCamSettings(
        pixel_size_um=1,
        psf="psf.tif",
        shutter=kind,
        row_time_us=1,
        exposure_us=EXPOSURE_ROWS,
        shutter_shift_rows=shift,
    )
    shutter = rolling_shutter(N_ROWS, settings)
    longest = N_ROWS - 1 + EXPOSURE_ROWS
    length = EXPOSURE_ROWS if kind == "global" else shutter.exposure
    edges = np.linspace(0, longest, CELLS + 1)
    opened = overlaps(shutter.starts, length, edges).mean(axis=1)
    lasts = (shutter.starts.max() + length) / longest
    return opened / opened.max(), lasts


def shutter_panel(kind: str, shift: int) -> Image.Image:
    """Draw rows down and time across, with begin and end, and the line where two halves meet."""
    opened, lasts = exposures(kind, shift)
    colors = np.array(BACKGROUND) + opened[..., None] * (np.array(LIGHT) - np.array(BACKGROUND))
    picture = Image.fromarray(np.rint(colors).astype(np.uint8)).resize((CELLS, CELLS), Image.Resampling.NEAREST)
    draw = ImageDraw.Draw(picture)
    end = min(lasts * CELLS, CELLS - 3)
    draw.line([(end, 0), (end, CELLS)], FAINT, 5)
    if kind.startswith("dual"):
        middle, meets = (CELLS * (0.5 + rows / N_ROWS) for rows in (0, shift))
        _dashed(draw, middle, FAINT if shift else LIT)
        if shift:
            _dashed(draw, meets, LIT)
            at = 0.84 * CELLS
            draw.line([(at, middle), (at, meets - 26)], LIT, 9)
            draw.polygon([(at, meets - 4), (at - 20, meets - 40), (at + 20, meets - 40)], LIT)
    return picture.resize((PANEL, PANEL), Image.Resampling.LANCZOS)


def _dashed(draw: ImageDraw.ImageDraw, y: float, color: tuple[int, int, int]) -> None:
    for x in range(0, CELLS, 48):
        draw.line([(x, y), (x + 26, y)], color, 7)


def draw_shutters() -> Image.Image:
    """Draw a panel for each kind of shutter."""
    width = LEFT + len(SHUTTERS) * PANEL + (len(SHUTTERS) - 1) * GAP + 22
    picture = Image.new("RGB", (width, TOP + PANEL + BELOW), BACKGROUND)
    draw = ImageDraw.Draw(picture)
    large, small = ImageFont.load_default(21), ImageFont.load_default(17)
    draw.text((LEFT - 12, TOP + 8), "row 0", FAINT, small, anchor="rt")
    draw.text((LEFT - 12, TOP + PANEL), "last", FAINT, small, anchor="rs")
    for index, (kind, title, shift) in enumerate(SHUTTERS):
        left = LEFT + index * (PANEL + GAP)
        draw.text((left, TOP - 16), title, INK, large, anchor="ls")
        picture.paste(shutter_panel(kind, shift), (left, TOP))
        draw.rectangle([left - 1, TOP - 1, left + PANEL, TOP + PANEL], outline=LINE)
        lasts = exposures(kind, shift)[1]
        end = left + lasts * PANEL
        draw.text((left, TOP + PANEL + 8), "-1", FAINT, small, anchor="mt")
        draw.text((end, TOP + PANEL + 8), "1", FAINT, small, anchor="mt")
    words = (
        "down: rows of the raw image; across: time, drawn alike in all, -1 to 1 as the motion counts it; "
        "blue: when a row is exposed; yellow: where two halves meet"
    )
    draw.text((LEFT, TOP + PANEL + BELOW - 14), words, FAINT, small, anchor="ls")
    return picture


# -- a movie from one image ---------------------------------------------------

MOMENTS = (2, 9, 15, 21)  # of 24
WIDE, SPACE, APART, HEAD = 232, 8, 14, 34
# The best of thirteen pairs of weights (most of them tried with 200 iterations), as the truth says.
FISTA_TV = {"kind": "fista_tv", "weight_time": 3e-5, "weight_space": 3e-5, "n_iterations": 300}


def draw_hand(folder: str) -> Image.Image:
    """Draw raw image, PSF and static deconvolution, and beside them four moments: truth, NSTM, FISTA-TV."""
    camera = modality("diffusercam")
    simulation = camera.simulate(SimulationRequest("wave", 12.0, 200, 0.01, 0, {"target": "hand"}))
    psf = Path(folder) / "psf.npy"
    np.save(psf, simulation.extras["psf"])
    settings = simulation.settings.model_dump(mode="json", exclude_none=True)
    job = {
        "modality": "diffusercam",
        "raw": "simulated",
        "acquisition": {**settings, "psf": str(psf), "compare_with": FISTA_TV},
        "output": {"path": str(Path(folder) / "hand.zarr")},
    }
    done = napari_nstm.reconstruct(job, raw=simulation.raw, on_event=_say)
    result = napari_nstm.open_result(done.path)
    truth = simulation.truth[:, 0]
    found = np.asarray(result.reconstruction[:, 0])
    still, movie = (result.comparison(name).images[:, 0] for name in ("conventional", "fista_tv"))
    brightest = float(np.percentile(truth, BRIGHT))

    def titled(name: str, images: Picture) -> str:
        pairs = zip(np.broadcast_to(images, truth.shape), truth, strict=True)
        return f"{name}  {np.mean([psnr_scaled(a, b) for a, b in pairs]):.1f} dB"

    at = [f"{result.times_ms[k]:.1f} ms" for k in MOMENTS]
    rows = (
        (("raw image", _grey(simulation.raw[0])), "truth", truth),
        (("PSF", _grey(simulation.extras["psf"])), titled("NSTM", found), found),
        ((titled("static", still), _grey(still[0], brightest)), titled("FISTA-TV", movie), movie),
    )
    tall = round(WIDE * truth.shape[1] / truth.shape[2])
    size = (2 * SPACE + APART + WIDE + len(MOMENTS) * (WIDE + SPACE), 3 * (tall + HEAD) + SPACE)
    picture = Image.new("RGB", size, BACKGROUND)
    draw = ImageDraw.Draw(picture)
    words = ImageFont.load_default(19)
    for index, ((name, first), title, images) in enumerate(rows):
        top = index * (tall + HEAD) + HEAD
        shown = [first, *(_grey(images[k], brightest) for k in MOMENTS)]
        for column, image in enumerate(shown):
            left = SPACE + column * (WIDE + SPACE) + (APART if column else 0)
            if column < 2:
                draw.text((left, top - 9), (name, title)[column], INK, words, anchor="ls")
            if column and index == 0:
                draw.text((left + WIDE, top - 9), at[column - 1], FAINT, words, anchor="rs")
            picture.paste(image.resize((WIDE, tall), Image.Resampling.BICUBIC), (left, top))
    return picture


def _grey(image: Picture, brightest: float | None = None) -> Image.Image:
    low = 0.0 if brightest is not None else float(np.percentile(image, 1))
    high = brightest if brightest is not None else float(np.percentile(image, BRIGHT))
    return Image.fromarray(np.rint(255 * np.clip((image - low) / (high - low), 0, 1)).astype(np.uint8))


def _say(event: Event) -> None:
    if isinstance(event, Notice | Finished):
        print(event.message, flush=True)


def main(names: Sequence[str]) -> None:
    """Write the pictures that are asked for, or all."""
    draw: dict[str, Callable[[str], Image.Image]] = {"shutter": lambda _: draw_shutters(), "hand": draw_hand}
    for name in names or draw:
        with tempfile.TemporaryDirectory() as folder:
            draw[name](folder).save(IMAGES / f"diffusercam-{name}.webp", quality=QUALITY[name], method=6)


if __name__ == "__main__":
    main(sys.argv[1:])
