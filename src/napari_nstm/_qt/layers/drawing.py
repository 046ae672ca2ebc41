"""A drawing as layers: its images beside each other, circles around, and marks with their words upon them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.types import LayerDataTuple
from numpy.typing import NDArray

from napari_nstm._qt.raw_layer import KEY
from napari_nstm.core.data import Circle, Drawing, Mark

_GAP, _HEAD = 0.04, 0.1  # between panels, and above them for their titles, of their size
_DARK, _BRIGHT = 2.0, 99.9  # percentiles shown black and white
_CIRCLES = ("#4cc9f0", "#f9a03f", "#b388eb", "#80ed99")
_MARKS = "#ffe66d"
_TITLES = "#eceff4"
_RING, _LINE = 0.03, 0.004  # diameter of marks and width of lines, of a panel's size
_LINE_LETTERS = 17  # of a mark's words in one line


@dataclass(frozen=True)
class Layout:
    """Where the panels of a drawing stand.

    Parameters
    ----------
    drawing
        The drawing.
    low, high
        Corners of a panel's cell, (y, x) in the drawing's unit: with room for its circles.
    shifts
        (panel, 2): what is added to positions of each panel.
    """

    drawing: Drawing
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    shifts: NDArray[np.float64]

    @property
    def size(self) -> float:
        """The longer side of a cell."""
        return float((self.high - self.low).max())

    @property
    def head(self) -> NDArray[np.float64]:
        """Room above a cell, (y, x), for the title of its panel."""
        return np.array([_HEAD * self.size * any(self.drawing.panels), 0.0])

    @property
    def marks(self) -> tuple[tuple[Mark, int], ...]:
        """Every mark with the panel it is drawn in; one that belongs to all panels comes once for each."""
        panels = range(len(self.shifts))
        return tuple((m, p) for m in self.drawing.marks for p in (panels if m.panel is None else (m.panel,)))

    def shown_at(self, mark: Mark, panel: int) -> NDArray[np.float64]:
        """Return where a mark is drawn."""
        return np.asarray(mark.position) + self.shifts[panel]

    def position(self, shown: NDArray[np.floating], panel: int) -> tuple[float, float]:
        """Return what a place on the canvas means in a panel."""
        y, x = np.asarray(shown, np.float64) - self.shifts[panel]
        return float(y), float(x)

    def picture(self) -> tuple[NDArray[np.float32], tuple[float, float]]:
        """Return all panels in one image, and the position of its sample 0."""
        drawing, step = self.drawing, np.asarray(self.drawing.step)
        places = np.rint((np.asarray(drawing.origin) + self.shifts) / step).astype(int)
        # Titles are drawn upon the image: the canvas may be white.
        first = np.rint((self.low - self.head + self.shifts.min(axis=0)) / step).astype(int)
        last = np.rint((self.high + self.shifts.max(axis=0)) / step).astype(int)
        image = np.full(tuple(last - first + 1), drawing.images.min(), np.float32)
        for panel, (top, left) in zip(drawing.images, places - first, strict=True):
            image[top : top + panel.shape[0], left : left + panel.shape[1]] = panel
        # Panels stand on whole samples, which need not be whole multiples of the step away from 0.
        rest = np.asarray(drawing.origin) - np.rint(np.asarray(drawing.origin) / step) * step
        y, x = first * step + rest
        return image, (float(y), float(x))


def lay_out(drawing: Drawing, aspect: float = 1.4) -> Layout:
    """Place the panels of a drawing beside each other, in as many rows as make them large.

    Parameters
    ----------
    drawing
        The drawing.
    aspect
        Width of the canvas over its height.
    """
    n, *shape = drawing.images.shape
    step = np.asarray(drawing.step)
    low = np.asarray(drawing.origin, np.float64)
    high = low + step * (np.asarray(shape) - 1)
    for circle in drawing.circles:
        low = np.minimum(low, np.asarray(circle.centre) - circle.radius)
        high = np.maximum(high, np.asarray(circle.centre) + circle.radius)
    low, high = np.floor(low / step) * step, np.ceil(high / step) * step
    cell = Layout(drawing, low, high, np.zeros((n, 2)))
    pitch = np.ceil(((high - low) * (1 + _GAP) + cell.head) / step) * step

    def size_in(columns: int) -> float:
        return min(aspect / (columns * pitch[1]), 1 / (math.ceil(n / columns) * pitch[0]))

    columns = max(range(1, n + 1), key=size_in)
    shifts = np.stack([np.divmod(np.arange(n), columns)[axis] * pitch[axis] for axis in (0, 1)], axis=-1)
    return Layout(drawing, low, high, shifts.astype(np.float64))


def drawing_layers(layout: Layout, units: Sequence[Any]) -> list[LayerDataTuple]:
    """Make the layers of a drawing: its image, its circles and titles, its marks; what it has none of is left out.

    Marks of single panels are rings around what they mark, those of all panels dots beside it.

    Parameters
    ----------
    layout
        The drawing, laid out.
    units
        Of the viewer's layers, (y, x): napari draws no units where layers differ in them, and says so each time. The
        true unit of the positions stands in the layers' names and metadata.
    """
    drawing = layout.drawing
    unit = drawing.unit.replace("um", "µm")
    name = drawing.name if drawing.unit == "pixel" else f"{drawing.name} ({unit})"
    common = {"units": tuple(units), "metadata": {KEY: {"kind": "drawing", "drawing": drawing.name, "unit": unit}}}
    image, translate = layout.picture()
    limits = _limits(drawing.images)
    placed = {"scale": drawing.step, "translate": translate, "contrast_limits": limits, "colormap": "gray"}
    made: list[LayerDataTuple] = [(image, {**common, **placed, "name": name}, "image")]
    boxes, shown = _shapes(layout)
    if boxes:
        made.append((boxes, {**common, **shown, "name": f"{name}: circles"}, "shapes"))
    if drawing.marks:
        points, shown = _points(layout)
        made.append((points, {**common, **shown, "name": f"{name}: marks"}, "points"))
    return made


def _limits(images: NDArray[np.floating]) -> tuple[float, float]:
    low, high = (float(v) for v in np.percentile(images, (_DARK, _BRIGHT)))
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _shapes(layout: Layout) -> tuple[list[NDArray[np.float64]], dict[str, Any]]:
    """Return the boxes of frames, for the titles of panels, and of circles, and how they are drawn."""
    drawing = layout.drawing
    boxes, kinds, colors, words = [], [], [], []
    for panel, (title, shift) in enumerate(zip(drawing.panels, layout.shifts, strict=True)):
        if title:
            # Above the words of a circle that reaches to the panel's edge.
            boxes.append(_box(layout.low + shift - layout.head / 2, layout.high + shift))
            kinds.append("rectangle")
            colors.append("transparent")
            words.append((title, _TITLES))
        for index, circle in enumerate(drawing.circles):
            boxes.append(_circle_box(circle, shift))
            kinds.append("ellipse")
            colors.append(_CIRCLES[index % len(_CIRCLES)])
            words.append((circle.label.replace("um", "µm") if panel == 0 else "", colors[-1]))
    return boxes, {
        "shape_type": kinds,
        "edge_color": colors,
        "face_color": "transparent",
        "edge_width": _LINE * layout.size,
        "opacity": 1.0,
        "text": _text(words, size=9),
    }


def _points(layout: Layout) -> tuple[NDArray[np.float64], dict[str, Any]]:
    marks = layout.marks
    points = np.stack([layout.shown_at(mark, panel) for mark, panel in marks])
    ring = _RING * layout.size
    words = [(_in_lines(mark.label), _MARKS) for mark, _ in marks]
    if all(mark.panel is not None for mark in layout.drawing.marks):
        style: dict[str, Any] = {"size": ring, "face_color": "transparent", "border_width": 0.12}
        text = {**_text(words, size=9), "translation": (0.4 * ring, 0.6 * ring)}
    else:
        style = {"size": 0.4 * ring, "face_color": _MARKS, "border_width": 0.0}
        text = {**_text(words, size=7), "anchor": "lower_left"}
    return points, {"symbol": "disc", "border_color": _MARKS, "opacity": 1.0, "text": text, **style}


def _text(words: Sequence[tuple[str, str]], size: int) -> dict[str, Any]:
    strings, colors = zip(*words, strict=True) if words else ((), ())
    return {"string": list(strings), "color": list(colors), "anchor": "upper_left", "size": size}


def _circle_box(circle: Circle, shift: NDArray[np.float64]) -> NDArray[np.float64]:
    middle = np.asarray(circle.centre) + shift
    return _box(middle - circle.radius, middle + circle.radius)


def _box(low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray([[low[0], low[1]], [low[0], high[1]], [high[0], high[1]], [high[0], low[1]]])


def _in_lines(label: str) -> str:
    """Break a long label after its commas."""
    lines: list[str] = []
    for part in label.split(", "):
        if lines and len(lines[-1]) + len(part) + 2 <= _LINE_LETTERS:
            lines[-1] += f", {part}"
        else:
            lines.append(part)
    return "\n".join(lines)
