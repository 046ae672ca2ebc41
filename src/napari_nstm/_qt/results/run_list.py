"""The runs whose results are in the viewer, one beneath the other: what differs, how they turned out, shown or not."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtCore import QSignalBlocker, Qt, QTimer, Signal
from qtpy.QtGui import QAction, QKeySequence
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_nstm._qt.background import Background
from napari_nstm._qt.layers.runs import RunLayers, runs_of
from napari_nstm._qt.leaving import Leaving
from napari_nstm._qt.results.beside import Beside
from napari_nstm._qt.results.go_on_row import GoOnRow
from napari_nstm._qt.results.run_table import Row, RunTable
from napari_nstm._qt.running.run_bar import duration
from napari_nstm.core.settings import Job
from napari_nstm.io.result import open_result
from napari_nstm.run.attempts import Attempt, attempt_of, differences

_DELAY_MS = 120
_WATCHED = ("inserted", "removed", "reordered", "visible", "metadata", "name")
_BESIDE, _ON_TOP = "Beside each other", "On top of each other"


class RunList(QWidget):
    """Lists the runs in a viewer; hidden while there is none.

    Rows are known by the folder of their result; that of a run that goes on by an empty text.

    Parameters
    ----------
    viewer
        Whose layers show results.
    background
        Where residuals are read.
    parent
        Owner in Qt's sense.
    """

    chosen = Signal(object, str)
    """Path and name of the result whose row was selected."""
    go_on_asked = Signal(object, str, object)
    """Path and name of a run that is to go on, and for how many steps beyond its end; None: to its end."""

    def __init__(self, viewer: ViewerModel, background: Background, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        # Layers are compared by identity, which those that a proxy of the viewer hands out do not have.
        self._viewer = getattr(viewer, "__wrapped__", viewer)
        self._background = background
        self._beside, self._leaving = Beside(self._viewer), Leaving(self._viewer, self)
        self._running: tuple[str, Job | None] | None = None
        self._runs: dict[str, RunLayers] = {}
        self._remembered: dict[str, list[Layer]] = {}  # what was visible of each run when it was last shown
        self._attempts: dict[tuple[str, str], Attempt | None] = {}  # None: not read yet, or not readable
        self._make_widgets()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_DELAY_MS)
        self._timer.timeout.connect(self.refresh)
        self._viewer.layers.events.connect(self._on_layers)
        self._viewer.layers.selection.events.active.connect(self._layer_selected)
        self._viewer.canvas.grid.events.enabled.connect(self._grid_toggled)
        self._closed = False
        self.refresh()

    def _make_widgets(self) -> None:
        self.table = RunTable()
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        self.remove_action = QAction("Remove from the viewer", self.table)
        self.remove_action.setShortcut(QKeySequence(Qt.Key.Key_Delete))
        self.remove_action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        self.remove_action.setEnabled(False)
        self.table.addAction(self.remove_action)
        self.beside_button = QPushButton(_BESIDE)
        self.beside_button.setCheckable(True)
        self.go_on = GoOnRow()
        self.beside_button.setToolTip("Show the runs that are ticked beside each other, at the same place and moment.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.table)
        layout.addWidget(self.beside_button)
        layout.addWidget(self.go_on)
        self.table.ticked.connect(self.set_shown)
        self.table.picked.connect(self._row_picked)
        self.remove_action.triggered.connect(lambda _=False: self._remove_current())
        self.beside_button.toggled.connect(self.set_beside)
        self.go_on.asked.connect(self._go_on)

    @property
    def keys(self) -> list[str]:
        """What the rows are known by, from the top."""
        return list(self._runs)

    @property
    def beside(self) -> bool:
        """Whether the runs that are shown stand beside each other."""
        return self._beside.on

    def set_running(self, title: str | None, job: Job | None = None) -> None:
        """Say which run goes on; None: none does.

        Parameters
        ----------
        title
            What the user knows it as.
        job
            What was asked for, so that it can be said what differs.
        """
        self._running = None if title is None else (title, job)
        self.refresh()

    def set_shown(self, key: str, shown: bool) -> None:
        """Show again what was seen of a run, or hide all of it."""
        run = self._runs[key]
        if shown:
            there = [layer for layer in self._remembered.get(key, []) if layer in run.layers]
            for layer in there or run.looked_at():
                layer.visible = True
        else:
            self._remembered[key] = run.shown or self._remembered.get(key, [])
            for layer in run.shown:
                layer.visible = False
        self.refresh()

    def set_beside(self, beside: bool) -> None:
        """Put the runs that are shown beside each other, or on top of each other again."""
        if beside and not self._beside.on:
            self._beside.enter(list(self._runs.values()))
        elif not beside and self._beside.on:
            self._beside.leave()
        with QSignalBlocker(self.beside_button):
            self.beside_button.setChecked(self._beside.on)
        self.beside_button.setText(_ON_TOP if self._beside.on else _BESIDE)
        self._timer.start()

    def remove_run(self, key: str, *, goes_on: bool = False) -> None:
        """Take the layers of a run that has ended out of the viewer; its result stays on the disk.

        Parameters
        ----------
        key
            Of its row.
        goes_on
            Its names are wanted at once, for the layers of the same run that goes on.
        """
        if self._runs[key].store is None:
            return
        layers = self._runs[key].layers
        self._beside.forget(layers)
        if goes_on:
            for layer in layers:
                layer.name = f"{layer.name} (before)"
        self._leaving.remove(layers)
        self.refresh()

    def refresh(self) -> None:
        """Look at the viewer's layers again."""
        self._runs = self._found()
        shown = {key: run.shown for key, run in self._runs.items() if run.shown}
        known = {key: layers for key, layers in self._remembered.items() if key in self._runs}
        self._remembered = {**known, **shown}
        self.table.set_rows(self._rows())
        if self._beside.on and len(shown) < 2:
            self.set_beside(False)
        elif self._beside.on:
            self._beside.arrange(list(self._runs.values()))
        self.beside_button.setEnabled(len(shown) > 1)
        self._offer_to_go_on()
        self.setVisible(bool(self._runs))

    def disconnect_viewer(self) -> None:
        """Listen no longer; runs that stand beside each other are put on top of each other again."""
        self._closed = True
        self._viewer.canvas.grid.events.enabled.disconnect(self._grid_toggled)
        self.set_beside(False)
        self._timer.stop()
        self._leaving.stop()
        self._viewer.layers.events.disconnect(self._on_layers)
        self._viewer.layers.selection.events.active.disconnect(self._layer_selected)

    # -- inside -------------------------------------------------------------

    def _found(self) -> dict[str, RunLayers]:
        doomed = self._leaving.layers
        found = runs_of(layer for layer in self._viewer.layers if layer not in doomed)
        runs = {"" if run.store is None else str(run.store): run for run in found}
        if self._running is not None:
            title, job = self._running
            going = runs.pop("", None) or RunLayers(None, title)
            going.name = title
            going.job = {} if job is None else job.model_dump(mode="json", exclude_unset=True)
            runs[""] = going
        return runs

    def _rows(self) -> list[Row]:
        jobs: list[Mapping[str, Any]] = [run.job for run in self._runs.values() if run.job]
        said, rows = iter(differences(jobs)), []
        for key, run in self._runs.items():
            differs = next(said) if run.job else ()
            if run.job and not differs and len(jobs) > 1:
                differs = ("same settings",)
            attempt = self._attempt(key, run)
            rows.append(
                Row(
                    key,
                    run.name,
                    bool(run.shown) if run.layers else None,
                    differs,
                    "" if attempt is None else _residual(attempt),
                    "running" if run.store is None and self._running is not None else _time(attempt),
                    "" if attempt is None else _about(run.name, attempt),
                )
            )
        return rows

    def _attempt(self, key: str, run: RunLayers) -> Attempt | None:
        """Return how a run turned out, or None until that is known: it is read once for each state of its store."""
        store, known = run.store, (key, run.updated)
        if store is None:
            return None
        if known not in self._attempts:
            self._attempts[known] = None
            # One whose store vanished keeps its row, without numbers.
            self._background.submit(partial(_read, store), partial(self._has_read, known), lambda _: None)
        return self._attempts[known]

    def _has_read(self, known: tuple[str, str], attempt: Attempt) -> None:
        self._attempts[known] = attempt
        if not self._closed:
            self._timer.start()

    def _on_layers(self, event: Any) -> None:
        if event.type in _WATCHED and not self._timer.isActive():
            self._timer.start()

    def _grid_toggled(self, _: Any = None) -> None:
        """Follow napari's own button: it ends the grid too."""
        if self._beside.on and not self._viewer.canvas.grid.enabled:
            self.set_beside(False)

    def _row_picked(self, key: str) -> None:
        run = self._runs[key]
        self.remove_action.setEnabled(run.store is not None)
        self._offer_to_go_on()
        if run.store is not None:
            self.chosen.emit(run.store, run.name)

    def _layer_selected(self, _: Any = None) -> None:
        """Let the row of the run whose layer was selected be the current one; who selected it knows it already."""
        active = self._viewer.layers.selection.active
        for key, run in self._runs.items():
            if active is not None and active in run.layers:
                self.table.set_current(key)
                self.remove_action.setEnabled(run.store is not None)
                self._offer_to_go_on()

    def _offer_to_go_on(self) -> None:
        """Offer to go on with the run of the current row, once it is known how it ended."""
        key = self.table.current
        run = self._runs.get(key or "")
        attempt = None if run is None or run.store is None else self._attempts.get((key, run.updated))
        self.go_on.offer(attempt, possible=self._running is None)

    def _go_on(self, steps: int | None) -> None:
        run = self._runs.get(self.table.current or "")
        if run is not None and run.store is not None:
            self.go_on_asked.emit(run.store, run.name, steps)

    def _remove_current(self) -> None:
        if self.table.current is not None:
            self.remove_run(self.table.current)


def _read(store: Path) -> Attempt:
    return attempt_of(open_result(store))


def _residual(attempt: Attempt) -> str:
    if attempt.in_noise_units is not None:
        return f"{attempt.in_noise_units:.2f} × noise"
    return "—" if attempt.residual is None else f"{100 * attempt.residual:.2g} %"


def _time(attempt: Attempt | None) -> str:
    return "" if attempt is None or attempt.fit_s is None else duration(attempt.fit_s)


def _about(name: str, attempt: Attempt) -> str:
    ended = {"running": "interrupted"}.get(attempt.status, attempt.status)
    when = attempt.created[:16].replace("T", " ")
    return f"{name}: {ended} at step {attempt.step} of {attempt.n_steps}, {when} UTC."
