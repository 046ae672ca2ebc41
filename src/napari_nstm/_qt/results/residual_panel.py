"""Whether to believe a result: what is left of every frame, in units of its noise."""

from typing import Any

from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QPushButton, QVBoxLayout

from napari_nstm._qt.background import Background
from napari_nstm._qt.drawing_view import DrawingView
from napari_nstm._qt.layers.adding import add_unselected
from napari_nstm._qt.layers.residual import is_in_time, residual_layer, residual_note
from napari_nstm._qt.raw_layer import known_of
from napari_nstm._qt.results.residual_table import ResidualTable
from napari_nstm._qt.results.result_panel import ResultPanel
from napari_nstm.analysis.residuals import ResidualSummary, residual_summary
from napari_nstm.io.result import StoredResult

UNASKED_BYTES = 128 * 2**20
"""A larger residual is read only when it is asked for: at some 30 MB a second it takes a while."""

_NONE = "This result has no residual: its run ended before the frames were compared at full size."
_RUNNING = "This run was interrupted: resume it, and there will be a residual."
_LARGE = "The residual is large ({} MB): press Measure to read it."


class ResidualPanel(ResultPanel):
    """A sentence, a row for each frame with a bar, and the residual as a map.

    Parameters
    ----------
    viewer
        Where the map is shown.
    view
        Shows it alone, and brings back what was shown before.
    background
        Where the residual is read.
    """

    def __init__(self, viewer: ViewerModel, view: DrawingView, background: Background) -> None:
        super().__init__(background, "How far the frames are explained")
        self._viewer, self._view = viewer, view
        self._tried: Any = None  # the state of the result that was measured, or could not be
        self._summary: ResidualSummary | None = None
        self.table = ResidualTable()
        self.measure_button = QPushButton("Measure")
        self.measure_button.setToolTip("Read the residual of every frame, and compare it with the noise.")
        self.map_button = QPushButton("Show map")
        self.map_button.setToolTip("Show where measured and rendered frames differ; the slider counts frames.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.message)
        layout.addWidget(self.table)
        layout.addWidget(self.measure_button)
        layout.addWidget(self.map_button)
        self.measure_button.clicked.connect(lambda _: self.measure())
        self.map_button.clicked.connect(lambda _: self.show_map())
        self.table.chosen.connect(self.show_map)
        self._refresh()

    @property
    def summary(self) -> ResidualSummary | None:
        """What was found in the residual of the result; None before, and where there is none."""
        return self._summary

    def measure(self) -> None:
        """Read the residual, however large, and show what is found."""
        self._measure(asked=True)

    def show_map(self, frame: int | None = None) -> None:
        """Show the residual alone, at a frame.

        Parameters
        ----------
        frame
            Its number, the first being 0; None: the worst, or the one at which the slider stands.
        """
        stored, name, summary = self._stored, self._name, self._summary
        if stored is None or summary is None or self._busy:
            return
        chosen = frame if frame is not None else (summary.worst[0] if summary.worst else None)
        layer, in_time = self._layer_of(stored), is_in_time(stored, len(summary.rms))
        if layer is not None and in_time:
            self._show(layer, summary, chosen, in_time=in_time)
            return

        def work() -> Any:
            stored.check_there()
            return residual_layer(stored, name, summary, chosen or 0)

        def done(made: Any) -> str:
            self._show(self._placed(stored, made), summary, chosen, in_time=in_time)
            return summary.sentence() if stored is self._stored else ""

        self._do("Drawing…", work, done)

    def set_result(self, stored: StoredResult | None, name: str) -> None:
        """Offer the residual of a result; it is read once the panel can be seen. Parameters as of any panel."""
        if _state_of(stored) != self._tried:
            self._forget()
        super().set_result(stored, name)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Measure what has not been measured yet."""
        super().showEvent(event)
        self._measure()

    # -- inside -------------------------------------------------------------

    def _measure(self, *, asked: bool = False) -> None:
        stored = self._stored
        state = _state_of(stored)
        if stored is None or self._busy or (state == self._tried and not asked):
            return
        self._tried = state

        def work() -> Any:
            stored.check_there()
            residual = stored.residual
            if residual is None:
                return _RUNNING if stored.status == "running" else _NONE
            if residual.nbytes > UNASKED_BYTES and not asked:
                return _LARGE.format(round(residual.nbytes / 2**20))
            return residual_summary(stored)

        def done(found: Any) -> str:
            if _state_of(self._stored) != state:
                return ""  # another result came; `_refresh` goes on with it
            if isinstance(found, str):
                self.measure_button.setVisible(found not in (_NONE, _RUNNING))
                return found
            self._summary = found
            self.measure_button.hide()
            self.table.fill(found)
            self.table.show()
            return str(found.sentence())

        self._do("Looking at the residual…", work, done)

    def _failed(self, error: Exception) -> None:
        self.measure_button.setVisible(self._summary is None)
        super()._failed(error)

    def _forget(self) -> None:
        self._tried, self._summary = None, None
        self.table.setRowCount(0)
        for widget in (self.table, self.measure_button):
            widget.hide()

    def _layer_of(self, stored: StoredResult) -> Any:
        """Return the layer that shows the residual of a result; None where there is none."""
        for layer in self._viewer.layers:
            known = known_of(layer)
            about = known.get("view"), known.get("store"), known.get("run_id")
            if about == ("residual", str(stored.path), stored.record.run_id):
                return layer
        return None

    def _placed(self, stored: StoredResult, made: Any) -> Layer:
        """Add the layer, or show the image in the one that is there."""
        layer = self._layer_of(stored)
        if layer is not None:
            layer.data = made[0]
            return layer
        return add_unselected(self._viewer, Layer.create(*made))

    def _show(self, layer: Layer, summary: ResidualSummary, frame: int | None, *, in_time: bool) -> None:
        which = f", {summary.colors[frame or 0]}" if summary.colors else ""
        self._view.show_layers([layer], f"Residual{which}", residual_note(summary))
        if frame is not None:
            self.table.selectRow(frame)
        if frame is not None and in_time:
            dims = self._viewer.dims
            dims.set_point(dims.ndim - layer.ndim, float(layer.translate[0] + frame * layer.scale[0]))

    def _refresh(self) -> None:
        self.map_button.setEnabled(self._summary is not None and not self._busy)
        self.measure_button.setEnabled(not self._busy)
        if self.isVisible():
            self._measure()


def _state_of(stored: StoredResult | None) -> Any:
    """Return what tells a result, as far as its run had come, from others."""
    return None if stored is None else (stored.path, stored.record.run_id, stored.status, stored.record.step)
