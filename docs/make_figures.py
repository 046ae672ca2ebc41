"""Draws the pictures of the pages that show definitions, with the project's own optics.

python docs/make_figures.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from napari_nstm.imaging.dpc.abbe import abbe
from napari_nstm.imaging.dpc.optics import Optics, source

IMAGES = Path(__file__).parent / "images"

ANGLES_DEG = (0.0, 90.0, 180.0, 270.0)
OPTICS = Optics(wavelength_um=0.525, na_objective=0.25, na_illumination=0.25, angles_deg=ANGLES_DEG)
PIXEL_SIZE_UM = 0.454
N_PX, BUMP_RADIUS_PX, BUMP_RAD = 96, 22.0, 0.5

BACKGROUND, INK, FAINT, LINE = (13, 17, 23), (236, 239, 244), (158, 168, 182), (78, 88, 102)
LIT = (255, 214, 102)
PANEL, GAP, LEFT, TOP = 230, 30, 138, 62


def phase_bump() -> NDArray[np.float64]:
    """Return a round bump of the phase with soft edges, (y, x) in rad."""
    y, x = np.mgrid[:N_PX, :N_PX] - N_PX / 2
    return BUMP_RAD / (1 + np.exp((np.hypot(y, x) - BUMP_RADIUS_PX) / 1.5))


def frames_of_bump() -> NDArray[np.float32]:
    """Return the frame of the bump under each source, (angle, y, x): 1 is the undisturbed intensity."""
    phase = phase_bump()
    return abbe(phase, np.zeros_like(phase), OPTICS, PIXEL_SIZE_UM)


def source_picture(index: int, size: int) -> Image.Image:
    """Draw a source in the aperture's plane, fx to the right and fy down, with the objective's edge around it."""
    edge = 1.25 * OPTICS.pupil_radius
    step = 2 * edge / size
    axis = (np.arange(size) + 0.5) * step - edge
    fy, fx = np.meshgrid(axis, axis, indexing="ij")
    lit = source(OPTICS, index, fy, fx, (step, step))[..., None]
    colors = (1 - lit) * np.array(BACKGROUND) + lit * np.array(LIT)
    picture = Image.fromarray(np.rint(colors).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    middle, radius = size / 2, OPTICS.pupil_radius / step
    draw.ellipse([middle - radius, middle - radius, middle + radius, middle + radius], outline=FAINT, width=size // 100)
    for end in ((size - size // 40, middle), (middle, size - size // 40)):
        _arrow(draw, (middle, middle), end, size // 110, size // 22)
    used = ImageFont.load_default(size // 11)
    names = (("fx", (0.985 * size, middle - 0.02 * size), "rb"), ("fy", (middle + 0.035 * size, 0.985 * size), "lb"))
    for name, at, anchor in names:
        draw.text(at, name, INK, used, anchor=anchor, stroke_width=2, stroke_fill=BACKGROUND)
    return picture


def _arrow(
    draw: ImageDraw.ImageDraw, start: tuple[float, float], end: tuple[float, float], width: int, head: int
) -> None:
    along = np.subtract(end, start) / np.hypot(*np.subtract(end, start))
    across = np.array([-along[1], along[0]])
    base = np.asarray(end) - head * along
    draw.line([start, tuple(base)], fill=INK, width=width)
    draw.polygon([tuple(end), *(tuple(base + side * head / 2.4 * across) for side in (1, -1))], fill=INK)


def draw_source_angle() -> Image.Image:
    """Draw a column for each angle: the lit half of the source, and the frame of a phase bump under it."""
    width = LEFT + len(ANGLES_DEG) * PANEL + (len(ANGLES_DEG) - 1) * GAP + 24
    rows = (TOP, TOP + PANEL + 34)
    picture = Image.new("RGB", (width, rows[1] + PANEL + 52), BACKGROUND)
    draw = ImageDraw.Draw(picture)
    large, small = ImageFont.load_default(27), ImageFont.load_default(19)
    frames = frames_of_bump()
    span = float(np.abs(frames - 1).max())
    for row, text in zip(rows, ("source\n(aperture)", "frame of a\nphase bump"), strict=True):
        draw.multiline_text((LEFT - 14, row + PANEL / 2), text, FAINT, small, anchor="rm", align="right", spacing=7)
    for index, (angle, frame) in enumerate(zip(ANGLES_DEG, frames, strict=True)):
        left = LEFT + index * (PANEL + GAP)
        draw.text((left + PANEL / 2, TOP - 14), f"{angle:g}°", INK, large, anchor="ms")
        drawn = source_picture(index, 4 * PANEL).resize((PANEL, PANEL), Image.Resampling.LANCZOS)
        picture.paste(drawn, (left, rows[0]))
        grey = np.clip(127.5 * (1 + (frame - 1) / span), 0, 255).astype(np.uint8)
        shown = Image.fromarray(grey).resize((PANEL, PANEL), Image.Resampling.BICUBIC)
        picture.paste(shown.convert("RGB"), (left, rows[1]))
        for row in rows:
            draw.rectangle([left - 1, row - 1, left + PANEL, row + PANEL], outline=LINE)
    text = "x to the right and y down in the frames, as they are stored; grey is the intensity without sample"
    draw.text((LEFT, rows[1] + PANEL + 17), text, FAINT, small)
    return picture


def main() -> None:
    """Write every picture."""
    draw_source_angle().quantize(128).save(IMAGES / "dpc-source-angle.png", optimize=True)


if __name__ == "__main__":
    main()
