"""The loss of a run over its steps, small: a logarithmic axis, and where the picture became finer."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPalette, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_nstm.core.events import Progress

Float = NDArray[np.float64]

POINTS = 500
"""Points of the curve: of steps that fall on the same one the newest counts."""

_HEIGHT = 60
_MARGIN = 4.0
_LEAST_DECADES = 0.05  # of the axis: a loss that does not change must not look as if it did
_FAINT, _TEXT, _LINE = 60, 190, 230  # opacity of lines, words and curve, of 255
_TOOLTIP = (
    "Loss over the steps of the fit, on a logarithmic axis: mean squared difference between the measured and the "
    "rendered frames, in units of the normalised frames, squared. Lines: from here on at this size."
)


class LossCurve(QWidget):
    """Draws the loss of one run.

    Parameters
    ----------
    parent
        Owner in Qt's sense.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(_HEIGHT)
        self.setAccessibleName("Loss over the steps")
        self.setToolTip(_TOOLTIP)
        self._losses = np.full(POINTS, np.nan)  # by share of the run
        self._steps = np.zeros(POINTS)
        self.clear()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not math.isfinite(self._lowest)

    @property
    def levels(self) -> tuple[tuple[int, str], ...]:
        """Steps at which the size changed, and the sizes in words; of a run in tiles: the tiles."""
        return tuple(self._levels)

    @property
    def resumed(self) -> bool:
        """Whether it began with the losses of a stored run."""
        return self._resumed

    def points(self) -> tuple[Float, Float]:
        """Return steps and losses of the curve, (point,) each."""
        there = np.isfinite(self._losses)
        return self._steps[there], self._losses[there]

    def clear(self) -> None:
        """Forget the run."""
        self._losses[:] = np.nan
        self._n_steps, self._resumed = 1, False
        self._level: int | str | None = None
        self._in_tiles = self._at_once = False
        self._lowest, self._highest = math.inf, -math.inf
        self._levels: list[tuple[int, str]] = []
        self._tell("No loss yet")

    def set_tiles(self, *, at_once: bool) -> None:
        """Draw the losses of tiles: one curve after another, or points where several tiles are fitted at once."""
        self._in_tiles, self._at_once = True, at_once

    def add(self, progress: Progress, size: str = "") -> None:
        """Go on with the curve.

        Parameters
        ----------
        progress
            How far the fit is.
        size
            Size of the level at work, or the tile, in words; empty: the level's number is written.
        """
        if progress.n_steps != self._n_steps and not self._in_tiles:
            self.clear()  # another run
        self._n_steps = max(progress.n_steps, 1)
        level = size if self._in_tiles else progress.level
        if level != self._level:
            # What sizes a stored run had before is not known.
            begin = progress.step if self._levels or self._resumed else 0
            self._levels.append((begin, size or f"level {progress.level}"))
            self._level = level
        elif size and self._levels[-1][1] != size:
            self._levels[-1] = (self._levels[-1][0], size)  # it is known only now
        self._put(progress.step, progress.loss)
        self._tell(f"loss {progress.loss:.2g} at step {progress.step} of {progress.n_steps}")

    def set_history(self, values: Sequence[float | None], n_steps: int | None = None) -> None:
        """Show the losses of a stored run.

        Parameters
        ----------
        values
            Of every step; None where it was no number.
        n_steps
            Steps of the whole run; None: as many as there are values.
        """
        self.clear()
        self._n_steps = max(n_steps or len(values), 1)
        for index, value in enumerate(values):
            if value is not None:
                self._put(index + 1, value)
        if not self.empty:
            self._resumed = True
            last = next(value for value in reversed(values) if value is not None)
            self._tell(f"loss {last:.2g} at step {len(values)} of {self._n_steps}")

    def sizeHint(self) -> QSize:  # noqa: N802
        """Qt's name: any width will do."""
        return QSize(200, _HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Qt's name: draw it all."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = self.palette().color(QPalette.ColorRole.WindowText)
        font = painter.font()
        font.setPointSizeF(max(6.0, 0.8 * font.pointSizeF()) if font.pointSizeF() > 0 else 7.0)
        painter.setFont(font)
        if self.empty:
            painter.setPen(_faded(ink, _TEXT))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "The loss is drawn here from the first step.")
            return
        ends = f"{self._highest:.1e}", f"{self._lowest:.1e}"
        metrics = painter.fontMetrics()
        left = max(metrics.horizontalAdvance(text) for text in ends) + 2 * _MARGIN
        area = QRectF(self.rect()).adjusted(left, _MARGIN, -_MARGIN, -_MARGIN)
        painter.setPen(QPen(_faded(ink, _FAINT), 0))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        painter.drawLine(area.topLeft(), area.bottomLeft())
        painter.setPen(_faded(ink, _TEXT))
        text = QRectF(0, _MARGIN / 2, left - _MARGIN, self.height() - _MARGIN)
        right = Qt.AlignmentFlag.AlignRight
        painter.drawText(text, right | Qt.AlignmentFlag.AlignTop, ends[0])
        if self._highest > self._lowest:
            painter.drawText(text, right | Qt.AlignmentFlag.AlignBottom, ends[1])
        x, y = self._curve(area)
        self._paint_words(painter, area, ink, x, y)
        painter.setPen(QPen(_faded(ink, _LINE), 1.5))
        for points in self._lines(x, y):
            if len(points) > 1:
                painter.drawPolyline(QPolygonF(points))
            else:
                painter.setBrush(_faded(ink, _LINE))
                painter.drawEllipse(points[0], 1.0, 1.0)

    # -- inside -------------------------------------------------------------

    def _lines(self, x: Float, y: Float) -> list[list[QPointF]]:
        """Return the points of each line: a tile's loss does not go on with that of the one before."""
        points = [QPointF(*at) for at in zip(x.tolist(), y.tolist(), strict=True)]
        if self._at_once:
            return [[point] for point in points]
        begins = [step for step, _ in self._levels] if self._in_tiles else []
        parts = [0, *np.searchsorted(self.points()[0], begins).tolist(), len(points)]
        return [points[start:stop] for start, stop in pairwise(parts) if stop > start]

    def _put(self, step: int, loss: float) -> None:
        if not (math.isfinite(loss) and loss > 0):
            return  # a logarithmic axis has no place for it
        at = min(POINTS - 1, max(0, (step * POINTS - 1) // self._n_steps))
        self._steps[at], self._losses[at] = step, loss
        self._lowest, self._highest = min(self._lowest, loss), max(self._highest, loss)

    def _tell(self, text: str) -> None:
        self.setAccessibleDescription(text)
        self.update()

    def _curve(self, area: QRectF) -> tuple[Float, Float]:
        """Return where the curve runs: (point,) each, in pixels of the widget."""
        steps, losses = self.points()
        low, high = math.log10(self._lowest), math.log10(self._highest)
        span = max(high - low, _LEAST_DECADES)
        x = area.left() + area.width() * steps / self._n_steps
        return x, area.center().y() - area.height() * (np.log10(losses) - (low + high) / 2) / span

    def _paint_words(self, painter: QPainter, area: QRectF, ink: QColor, x: Float, y: Float) -> None:
        """Draw where each size begins; write it where there is room, and the newest loss at the end."""
        width = painter.fontMetrics().horizontalAdvance

        def write(text: str, begin: float) -> None:
            """Write above or below the curve, where it is farther away."""
            place = QRectF(begin, area.top(), width(text) + 1, area.height())
            near = y[(x >= place.left()) & (x <= place.right())]
            below = len(near) > 0 and float(near.mean()) < area.center().y()
            painter.setPen(_faded(ink, _TEXT))
            painter.drawText(place, Qt.AlignmentFlag.AlignBottom if below else Qt.AlignmentFlag.AlignTop, text)

        newest = f"loss {self.points()[1][-1]:.1e}"
        end = area.right() - width(newest)
        write(newest, end)
        begins = [area.left() + area.width() * step / self._n_steps for step, _ in self._levels]
        limits = [*begins[1:], end] if begins else []  # of a stored run sizes are not known
        for (step, size), begin, limit in zip(self._levels, begins, limits, strict=True):
            if step:
                painter.setPen(QPen(_faded(ink, _FAINT), 0))
                painter.drawLine(QPointF(begin, area.top()), QPointF(begin, area.bottom()))
            if width(size) + 2 * _MARGIN < limit - begin:
                write(size, begin + _MARGIN)


def _faded(color: QColor, opacity: int) -> QColor:
    faded = QColor(color)
    faded.setAlpha(opacity)
    return faded
