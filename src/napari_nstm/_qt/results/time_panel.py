"""The moments of a result: its own or any number between, and playing them in the viewer."""

from typing import Any

from napari.components import ViewerModel
from napari.layers import Vectors
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QLineEdit, QPushButton

from napari_nstm._qt.background import Background
from napari_nstm._qt.form.editors import CalmComboBox
from napari_nstm._qt.layers.levels import rendered_steps
from napari_nstm._qt.layers.moments import (
    MomentsOfChannel,
    RenderedMoments,
    even_moments,
    layers_of,
    placed_in_time,
    show_moments,
)
from napari_nstm._qt.layers.motion import Arrows, choices_of, read_arrows, show_arrows
from napari_nstm._qt.layers.result import read_images
from napari_nstm._qt.raw_layer import known_of
from napari_nstm._qt.results.player import Player
from napari_nstm._qt.results.result_panel import ResultPanel
from napari_nstm.core.errors import InputError
from napari_nstm.io.pace import movie_plan, speed_text
from napari_nstm.io.result import StoredResult

AT_MOST = 2_000
"""Moments: as many as can be told apart on a slider."""

_FACTORS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # of the pace that can be watched
_TAKES = f"a whole number from 2 to {AT_MOST:,}, or nothing: the moments as stored"


class TimePanel(ResultPanel):
    """Chooses how many moments of a result the slider shows, and plays them.

    Parameters
    ----------
    viewer
        Whose layers show the result.
    background
        Where arrows are computed and stored moments are read.
    """

    def __init__(self, viewer: ViewerModel, background: Background) -> None:
        super().__init__(background, "What came of other moments")
        self._viewer = viewer
        self._player = Player(viewer, self)
        self.moments = QLineEdit()
        self.moments.setAccessibleName("Number of moments")
        self.moments.setToolTip(
            "How many moments, evenly from the first frame to the last, the slider shows; Enter applies it. "
            "Each is rendered when it is looked at."
        )
        self.stored_button = QPushButton("As stored")
        self.stored_button.setToolTip("Show the moments that the result was stored with.")
        self.play_button = QPushButton("Play")
        self.play_button.setCheckable(True)
        self.play_button.setToolTip("Move the slider through the moments of this result; press again to pause.")
        self.pace = CalmComboBox()
        self.pace.setAccessibleName("Pace of playing")
        self.pace.setToolTip("Seconds on the screen per second of the acquisition.")
        self.turn = CalmComboBox()
        self.turn.setAccessibleName("At the last moment")
        self.turn.setToolTip("What follows the last moment.")
        self.turn.addItem("start again", False)
        self.turn.addItem("there and back", True)
        label = QLabel("Moments")
        label.setBuddy(self.moments)
        grid = QGridLayout()
        grid.addWidget(label, 0, 0)
        grid.addWidget(self.moments, 0, 1)
        grid.addWidget(self.stored_button, 0, 2)
        grid.addWidget(self.play_button, 1, 0)
        grid.addWidget(self.pace, 1, 1)
        grid.addWidget(self.turn, 1, 2)
        for column in (1, 2):
            grid.setColumnStretch(column, 1)
        self._lay_out(grid)
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.moments.returnPressed.connect(self.apply)
        self.stored_button.clicked.connect(lambda: self.show_number(None))
        self.play_button.toggled.connect(self._play)
        self.pace.currentIndexChanged.connect(self._pace_changed)
        self.turn.currentIndexChanged.connect(self._pace_changed)
        self._player.stopped.connect(lambda: self.play_button.setChecked(False))
        viewer.layers.events.connect(self._on_layers)
        self._refresh()

    def set_result(self, stored: StoredResult | None, name: str) -> None:
        """Offer the moments of a result; what plays of another stops."""
        if stored is None or self._stored is None or stored.path != self._stored.path:
            self.play_button.setChecked(False)
        super().set_result(stored, name)
        self._fill()

    def apply(self) -> None:
        """Show as many moments as the line says."""
        text = self.moments.text().strip().replace(",", "")
        if not text:
            self.show_number(None)
        elif text.isdecimal() and 2 <= int(text) <= AT_MOST:
            self.show_number(int(text))
        else:
            self._failed(InputError("moments", self.moments.text().strip(), _TAKES))

    def show_number(self, n: int | None) -> None:
        """Show a number of moments; None: those that are stored."""
        stored = self._stored
        if stored is None or self._busy:
            return
        frames = stored.frame_times_ms
        if n is not None and len(frames) < 2:
            self._say("There is one frame, and one moment.", problem=True)
            return
        times = stored.times_ms if n is None else even_moments(frames, n)
        motion = layers_of(self._viewer, stored, "motion")
        choices = [choices_of(layer) for layer in motion]

        def work() -> Any:
            stored.check_there()
            stored.check_shown()
            images = read_images(stored) if n is None else _rendered(stored, times)
            return images, [read_arrows(stored, times, how) for how in choices]

        def done(made: Any) -> str | None:
            images, arrows = made
            there = [(layer, one) for layer, one in zip(motion, arrows, strict=True) if layer in self._viewer.layers]
            if any(choices_of(layer) != one.choices for layer, one in there):
                self.show_number(n)  # the arrows were changed meanwhile
                return None
            self._show(stored, times, images, there)
            self._fill()
            return "So many moments leave room for fewer arrows at each." if any(a.thinned for a in arrows) else None

        self._do("Computing the moments…", work, done)

    @property
    def playing(self) -> bool:
        """Whether the slider moves by itself."""
        return self._player.playing

    def disconnect_viewer(self) -> None:
        """Listen no longer, and play no longer."""
        self._player.stop()
        self._viewer.layers.events.disconnect(self._on_layers)

    # -- inside -------------------------------------------------------------

    def _show(self, stored: StoredResult, times: Any, images: Any, motion: list[tuple[Vectors, Arrows]]) -> None:
        viewer, frames = self._viewer, stored.frame_times_ms
        point = viewer.dims.point
        names = [channel.name for channel in stored.channels]
        for layer in layers_of(viewer, stored, "reconstruction"):
            show_moments(layer, images[names.index(known_of(layer)["channel"])], times, frames)
        for layer, arrows in motion:
            show_arrows(layer, arrows, placed_in_time(layer, times, frames))
        # While the layers had too few moments for their steps, the slider was shorter.
        viewer.dims.set_point(range(viewer.dims.ndim), point[-viewer.dims.ndim :])

    def _shown(self) -> list[Any]:
        return [] if self._stored is None else layers_of(self._viewer, self._stored, "reconstruction", "motion")

    def _fill(self) -> None:
        """Say how many moments are shown, and how fast they can be played."""
        stored = self._stored
        if stored is None:
            self.moments.clear()
            return
        self.moments.setPlaceholderText(f"as stored ({len(stored.times_ms)})")
        self.moments.setModified(False)
        self._fill_line()
        frames = stored.frame_times_ms
        slowdown = movie_plan((frames[-1] - frames[0]) / 1000).slowdown
        chosen = max(self.pace.currentIndex(), 0) if self.pace.count() else _FACTORS.index(1.0)
        self.pace.blockSignals(True)
        self.pace.clear()
        for factor in reversed(_FACTORS):
            self.pace.addItem(speed_text(slowdown * factor), slowdown * factor)
        self.pace.setCurrentIndex(chosen)
        self.pace.blockSignals(False)

    def _fill_line(self) -> None:
        if self._stored is None or self.moments.isModified():
            return  # somebody types
        times = [known_of(layer)["times_ms"] for layer in self._shown()]
        others = [len(one) for one in times if list(one) != list(self._stored.times_ms)]
        self.moments.setText(str(others[-1]) if others else "")

    def _play(self, on: bool) -> None:
        self.play_button.setText("Pause" if on else "Play")
        if on:
            self._pace_changed()
            if not self._player.start(self._stored):
                self.play_button.setChecked(False)
        else:
            self._player.stop()

    def _pace_changed(self, _: int = 0) -> None:
        self._player.set_pace(self.pace.currentData() or 1.0, there_and_back=bool(self.turn.currentData()))

    def _on_layers(self, event: Any) -> None:
        if event.type in ("inserted", "removed", "metadata"):  # the last where a run's layers become its result's
            self._fill_line()
            self._refresh()

    def _refresh(self) -> None:
        there = bool(self._shown())
        ready = there and not self._busy
        self.moments.setReadOnly(not ready)  # not disabled: the focus would go elsewhere
        self.moments.setEnabled(there)
        self.stored_button.setEnabled(ready)
        for widget in (self.play_button, self.pace, self.turn):
            widget.setEnabled(there and len(self._stored.frame_times_ms) > 1)


def _rendered(stored: StoredResult, times_ms: tuple[float, ...]) -> tuple[list[MomentsOfChannel], ...]:
    """Return moments of each channel, in as many sizes as it takes."""
    levels = [RenderedMoments(stored, times_ms, step_px=step) for step in rendered_steps(stored)]
    return tuple([MomentsOfChannel(level, index) for level in levels] for index in range(len(stored.channels)))
