"""Draws the pictures of the page on SIM: conventions, and what simulated moving samples give.

python docs/make_sim_figures.py [conventions] [filaments] [tubule]
"""

from __future__ import annotations

import math
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
from napari_nstm.imaging.registry import modality
from napari_nstm.imaging.sim.choices import LinePattern
from napari_nstm.imaging.sim.inspect import support_circles
from napari_nstm.imaging.sim.optics import given_vectors, stripes
from napari_nstm.imaging.sim.simulate import simulated_settings
from napari_nstm.io.draw import comparison_picture
from napari_nstm.io.store import StoredResult

QUALITY = 88  # of 100
BRIGHT = 99.7  # percentile that is shown white
Picture = NDArray[np.floating]

# -- conventions ------------------------------------------------------------

ANGLE_DEG, SPACING_UM = 30.0, 0.42
SETTINGS = simulated_settings(
    n_orientations=1,
    pattern=LinePattern(line_spacing_um=(SPACING_UM,), angles_deg=(ANGLE_DEG,)),
    phases_rad=None,
)
N_PX = 25  # raw pixels: the lattice that is drawn over the light
PANEL, GAP, SIDE, TOP, BELOW = 290, 34, 26, 50, 84
SMALL_PT, LARGE_PT = 17, 22
Point = tuple[float, float]


def light(phase_rad: float, depths: Sequence[float]) -> NDArray[np.float64]:
    """Return the stripes as an even sample shows them, a panel of (row, column), 0 to 1."""
    pixel = SETTINGS.pixel_size_um
    at = (np.arange(PANEL) + 0.5) / PANEL * N_PX - 0.5  # raw pixels
    um = (at - N_PX // 2) * pixel
    found = stripes(vector(), phase_rad, np.asarray(depths, float), um[:, None], um[None])
    return np.asarray((found - found.min()) / (found.max() - found.min()))


def vector() -> NDArray[np.floating]:
    """Return (ky, kx) of order 1, cycles per um."""
    vectors = given_vectors(SETTINGS)
    assert vectors is not None
    return vectors[0]


def on_panel(along_um: float, across_um: float = 0.0) -> Point:
    """Return the point (x, y) of a panel that lies so far from the middle, along and across the stripes' vector."""
    ky, kx = vector() / np.hypot(*vector())
    y, x = along_um * ky + across_um * kx, along_um * kx - across_um * ky
    scale = PANEL / N_PX
    return (N_PX // 2 + 0.5 + x / SETTINGS.pixel_size_um) * scale, (
        N_PX // 2 + 0.5 + y / SETTINGS.pixel_size_um
    ) * scale


class Panel:
    """A square picture to draw on, four times as large as it will be shown."""

    FINER = 4

    def __init__(self, grey: NDArray[np.floating] | None = None) -> None:
        colors = np.zeros((PANEL, PANEL, 3)) + np.asarray(BACKGROUND)
        if grey is not None:
            colors = colors + 0.62 * grey[..., None] * (np.array([150, 205, 255]) - np.asarray(BACKGROUND))
        size = self.FINER * PANEL
        self.picture = Image.fromarray(np.rint(colors).astype(np.uint8)).resize((size, size), Image.Resampling.BICUBIC)
        self._draw = ImageDraw.Draw(self.picture)

    def line(self, points: Sequence[Point], color: tuple[int, int, int] = INK, width: float = 2) -> None:
        """Draw a line through points (x, y) of the shown picture."""
        self._draw.line([self._at(p) for p in points], color, round(self.FINER * width), joint="curve")

    def arrow(self, start: Point, end: Point, color: tuple[int, int, int] = INK, width: float = 2.4) -> None:
        """Draw an arrow."""
        along = np.subtract(end, start) / np.hypot(*np.subtract(end, start))
        across = np.array([-along[1], along[0]])
        base = np.asarray(end) - 11 * along
        self.line([start, tuple(base)], color, width)
        corners = [np.asarray(end), *(base + side * 5 * across for side in (1, -1))]
        self._draw.polygon([self._at(tuple(p)) for p in corners], fill=color)

    def disc(self, at: Point, radius: float, color: tuple[int, int, int]) -> None:
        """Draw a filled circle."""
        self._draw.ellipse(self._box(at, radius), fill=color)

    def circle(self, at: Point, radius: float, color: tuple[int, int, int], width: float = 1.6) -> None:
        """Draw a circle."""
        self._draw.ellipse(self._box(at, radius), outline=color, width=round(self.FINER * width))

    def square(self, at: Point, side: float, color: tuple[int, int, int]) -> None:
        """Draw the outline of a square."""
        self._draw.rectangle(self._box(at, side / 2), outline=color, width=round(self.FINER * 2))

    def text(self, at: Point, words: str, color: tuple[int, int, int] = INK, anchor: str = "mm") -> None:
        """Write words that stand out of what is below them."""
        used = ImageFont.load_default(self.FINER * SMALL_PT)
        stroke = {"stroke_width": self.FINER * 2, "stroke_fill": BACKGROUND}
        self._draw.text(self._at(at), words, color, used, anchor=anchor, **stroke)

    def shown(self) -> Image.Image:
        """Return the picture at its size."""
        return self.picture.resize((PANEL, PANEL), Image.Resampling.LANCZOS)

    def _at(self, point: Point) -> Point:
        return self.FINER * point[0], self.FINER * point[1]

    def _box(self, at: Point, radius: float) -> tuple[float, float, float, float]:
        x, y = self._at(at)
        return x - self.FINER * radius, y - self.FINER * radius, x + self.FINER * radius, y + self.FINER * radius


def angle_panel() -> Image.Image:
    """Show angle and period of order 1, at phase 0: a bright line passes through the middle pixel."""
    panel = Panel(light(0.0, (1, 1)))
    middle, end = on_panel(0), on_panel(0.62)
    panel.line([middle, (middle[0] + 112, middle[1])], FAINT)
    panel.text((middle[0] + 116, middle[1] - 14), "x", FAINT, "rm")
    arc = [math.radians(a) for a in np.linspace(0, ANGLE_DEG, 20)]
    panel.line([(middle[0] + 62 * math.cos(a), middle[1] + 62 * math.sin(a)) for a in arc], LIT)
    panel.text((middle[0] + 80 * math.cos(arc[10]), middle[1] + 80 * math.sin(arc[10])), f"{ANGLE_DEG:g}°", LIT, "lm")
    panel.arrow(middle, end, LIT)
    for ahead in (-SPACING_UM, 0.0):
        panel.line([on_panel(ahead, 0.2), on_panel(ahead, 0.36)], INK, 1.6)
    panel.line([on_panel(-SPACING_UM, 0.28), on_panel(0, 0.28)], INK, 2)
    panel.text(on_panel(-SPACING_UM / 2, 0.42), f"{1000 * SPACING_UM:g} nm")
    _middle_pixel(panel)
    return panel.shown()


def phase_panel() -> Image.Image:
    """Show what a phase of 90 degrees does: lines move by a quarter of the period, against the vector."""
    phase = math.pi / 2
    panel = Panel(light(phase, (1, 1)))
    moved = -SPACING_UM * phase / (2 * math.pi)
    panel.line([on_panel(0, -0.75), on_panel(0, 0.75)], FAINT, 1.6)
    panel.line([on_panel(moved, -0.75), on_panel(moved, 0.75)], LIT, 1.6)
    panel.arrow(on_panel(0, 0.45), on_panel(1.02 * moved, 0.45), LIT, 2.2)
    panel.text(on_panel(moved / 2 + 0.02, 0.57), "1.57 rad", LIT)
    _middle_pixel(panel)
    return panel.shown()


def orders_panel() -> Image.Image:
    """Show the light of three beams: order 2 has half the period of order 1."""
    panel = Panel(light(0.0, (1, 0.4, 0.8)))
    for ahead in (-SPACING_UM, 0.0):
        panel.line([on_panel(ahead, 0.2), on_panel(ahead, 0.36)], INK, 1.6)
    panel.line([on_panel(-SPACING_UM, 0.28), on_panel(0, 0.28)], INK, 2)
    panel.text(on_panel(-SPACING_UM / 2, 0.42), f"{1000 * SPACING_UM:g} nm")
    for ahead in (0.0, SPACING_UM / 2):
        panel.line([on_panel(ahead, -0.36), on_panel(ahead, -0.2)], LIT, 1.6)
    panel.line([on_panel(0, -0.28), on_panel(SPACING_UM / 2, -0.28)], LIT, 2)
    panel.text(on_panel(SPACING_UM / 4, -0.42), f"{500 * SPACING_UM:g} nm", LIT)
    _middle_pixel(panel)
    return panel.shown()


def spectrum_panel() -> Image.Image:
    """Show where the orders lie among the frequencies, with what the objective passes and what is reached."""
    panel = Panel()
    objective, reached = (circle.radius for circle in support_circles(SETTINGS))
    scale = 0.46 * PANEL / reached  # per cycle per um
    middle = (PANEL / 2, PANEL / 2)

    def at(order: float) -> Point:
        ky, kx = order * vector()
        return middle[0] + scale * kx, middle[1] + scale * ky

    panel.circle(middle, scale * reached, LINE)
    panel.circle(middle, scale * objective, FAINT)
    panel.arrow(middle, (PANEL - 18, middle[1]), FAINT, 1.6)
    panel.arrow(middle, (middle[0], PANEL - 18), FAINT, 1.6)
    panel.text((PANEL - 8, middle[1] - 14), "kx", FAINT, "rm")
    panel.text((middle[0] - 10, PANEL - 20), "ky", FAINT, "rm")
    panel.arrow(middle, at(0.93), LIT, 2.4)
    for order in (-2, -1, 1, 2):
        panel.disc(at(order), 5.5, LIT if order == 1 else INK)
        x, y = at(order)
        panel.text((x - 3, y + 17), f"{order:+d}", LIT if order == 1 else INK)
    panel.disc(middle, 4, INK)
    return panel.shown()


def _middle_pixel(panel: Panel) -> None:
    panel.square(on_panel(0), PANEL / N_PX, (255, 120, 110))


def draw_conventions() -> Image.Image:
    """Draw a panel for each convention, with a sentence below."""
    columns: tuple[tuple[str, Callable[[], Image.Image], str], ...] = (
        ("angle, period", angle_panel, "from x (right) towards y (down),\nacross the lines; period of order 1"),
        ("phase", phase_panel, "0: bright at the middle pixel (red);\nit grows: lines move against the arrow"),
        ("orders 1 and 2", orders_panel, "three beams: 1 + m1 cos a + m2 cos 2a\ntwo beams: 1 + m1 cos a"),
        (
            "frequencies",
            spectrum_panel,
            "arrow: vector of order 1, 1 / period;\ncircles: objective, and reconstruction",
        ),
    )
    width = 2 * SIDE + len(columns) * PANEL + (len(columns) - 1) * GAP
    picture = Image.new("RGB", (width, TOP + PANEL + BELOW), BACKGROUND)
    draw = ImageDraw.Draw(picture)
    large, small = ImageFont.load_default(LARGE_PT), ImageFont.load_default(SMALL_PT - 1)
    for index, (title, panel, words) in enumerate(columns):
        left = SIDE + index * (PANEL + GAP)
        draw.text((left, TOP - 14), title, INK, large, anchor="ls")
        picture.paste(panel(), (left, TOP))
        draw.rectangle([left - 1, TOP - 1, left + PANEL, TOP + PANEL], outline=LINE)
        draw.multiline_text((left, TOP + PANEL + 14), words, FAINT, small, spacing=7)
    return picture


# -- reconstructions --------------------------------------------------------


def reconstructed(name: str, request: SimulationRequest, folder: str) -> tuple[StoredResult, Picture]:
    """Simulate frames and reconstruct them; returns the result and the truth (t, [z,] y, x)."""
    simulation = modality(name).simulate(request)
    job = {
        "modality": name,
        "raw": "simulated",
        "acquisition": simulation.settings.model_dump(mode="json", exclude_none=True),
        "output": {"path": str(Path(folder) / f"{name}.zarr")},
    }
    result = napari_nstm.reconstruct(job, raw=simulation.raw, on_event=_say)
    return napari_nstm.open_result(result.path), simulation.truth[:, 0]


def _say(event: Event) -> None:
    if isinstance(event, Notice | Finished):
        print(event.message, flush=True)


def draw_filaments(folder: str) -> Image.Image:
    """Draw a part of simulated filaments: widefield, conventional, NSTM and truth, at the frame in the middle."""
    request = SimulationRequest("swirl", 5.0, 128, 0.01, 0, {"target": "filaments", "stripes": "found"})
    result, truth = reconstructed("sim", request, folder)
    found = np.asarray(result.reconstruction[:, 0])
    middle, part = len(truth) // 2, (slice(40, 130), slice(40, 130))
    panels = []
    for name in ("widefield", "conventional", "NSTM"):
        images = found if name == "NSTM" else result.comparison(name).images[[0] * len(truth), 0]
        score = np.mean([psnr_scaled(a, b) for a, b in zip(images, truth, strict=True)])
        panels.append((f"{name}\n{score:.1f} dB", images[middle][part]))
    panels.append((f"truth\nat {result.times_ms[middle]:g} ms", truth[middle][part]))
    return compared(panels, result, float(np.percentile(found[middle], BRIGHT)), folder)


def draw_tubule(folder: str) -> Image.Image:
    """Draw the end of a simulated tubule, seen along z: of all frames, and by NSTM at three moments above the truth."""
    request = SimulationRequest("bend", 12.0, 96, 0.005, 0, {"target": "tubule", "planes": "8"})
    result, truth = reconstructed("sim3d", request, folder)
    found = np.asarray(result.reconstruction[:, 0])
    brightest = float(np.percentile(found.max(axis=1), BRIGHT))

    def panel(above: Picture, below: Picture) -> Picture:
        parts = [volume.max(axis=0)[54:100, 66:132] for volume in (above, below)]
        return np.concatenate([parts[0], np.full((1, parts[0].shape[1]), brightest / 2), parts[1]])

    conventional, widefield = (result.comparison(name).images[0, 0] for name in ("conventional", "widefield"))
    panels = [("conventional\nabove widefield", panel(conventional, widefield))]
    panels += [
        (f"NSTM above truth\nat {result.times_ms[k]:g} ms", panel(found[k], truth[k]))
        for k in (0, len(truth) // 2, len(truth) - 1)
    ]
    return compared(panels, result, brightest, folder)


def compared(panels: Sequence[tuple[str, Picture]], result: StoredResult, brightest: float, folder: str) -> Image.Image:
    """Draw images side by side, in grey levels from 0."""
    target = Path(folder) / "compared.png"
    size = result.pixel_size_um[-1]
    comparison_picture(panels, target, pixel_size_um=size, quantity="counts", limits=(0, brightest))
    return Image.open(target)


def main() -> None:
    """Write the pictures that are asked for, or all."""
    draw: dict[str, Callable[[str], Image.Image]] = {
        "conventions": lambda _: draw_conventions(),
        "filaments": draw_filaments,
        "tubule": draw_tubule,
    }
    for name in sys.argv[1:] or draw:
        with tempfile.TemporaryDirectory() as folder:
            draw[name](folder).save(IMAGES / f"sim-{name}.webp", quality=QUALITY, method=6)


if __name__ == "__main__":
    main()
