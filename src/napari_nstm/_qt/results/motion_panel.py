"""How a result's arrows are drawn in the viewer, the key to their colours, and a map of speeds."""

from typing import Any

from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QPushButton

from napari_nstm._qt.background import Background
from napari_nstm._qt.layers.adding import add_unselected
from napari_nstm._qt.layers.moments import layers_of, moment_shown
from napari_nstm._qt.layers.motion import ArrowChoices, choices_of, read_arrows, show_arrows
from napari_nstm._qt.layers.speed import VIEW, speed_layer
from napari_nstm._qt.raw_layer import known_of
from napari_nstm._qt.results.arrow_form import ArrowForm
from napari_nstm._qt.results.arrow_keys import ArrowKeys
from napari_nstm._qt.results.result_panel import ResultPanel
from napari_nstm.io.result import StoredResult

_CALM_MS = 250  # after the last change of several
_FEWER = "There is room for fewer arrows than that at so many moments, or in so many planes."


class MotionPanel(ResultPanel):
    """Choices for the arrows of a result, which follow at once, and what else shows its motion.

    Parameters
    ----------
    viewer
        Whose layers show the result.
    background
        Where motion is computed.
    """

    def __init__(self, viewer: ViewerModel, background: Background) -> None:
        super().__init__(background, "What came of drawing the motion")
        self._viewer = viewer
        self._wanted: dict[str, tuple[StoredResult, ArrowChoices]] = {}  # by the result's place: not drawn yet
        self._computing = False
        self.form = ArrowForm()
        self.legend = QCheckBox("Key to the colours")
        self.legend.setChecked(True)
        self.legend.setToolTip(
            "A wheel of directions, or a bar of speeds in µm/s, above the field while arrows are shown."
        )
        self.speed_button = QPushButton("Speed map")
        self.speed_button.setToolTip(
            "An image of how fast the sample moves, in µm/s, at the place where it is at each moment; "
            "nothing where the signal is too low for arrows."
        )
        self._keys = ArrowKeys(viewer, self)
        row = QHBoxLayout()
        row.addWidget(self.legend)
        row.addWidget(self.speed_button, 1)
        self._lay_out(self.form, row)
        self._calm = QTimer(self)
        self._calm.setSingleShot(True)
        self._calm.setInterval(_CALM_MS)
        self._calm.timeout.connect(self._compute)
        self.form.changed.connect(self._changed)
        self.form.now_asked.connect(self._take_now)
        self.legend.toggled.connect(self._keys.set_on)
        self.speed_button.clicked.connect(self.show_speeds)
        viewer.layers.events.connect(self._on_layers)
        self._refresh()

    @property
    def choices(self) -> ArrowChoices:
        """What is chosen now; the next result is drawn with it where `apply_to` is called."""
        return self.form.choices

    def set_result(self, stored: StoredResult | None, name: str) -> None:
        """Show what is chosen for the arrows of a result."""
        super().set_result(stored, name)
        layer = self._layer(stored)
        if stored is not None and layer is not None:
            _, waiting = self._wanted.get(str(stored.path), (stored, None))
            self.form.set_choices(waiting or choices_of(layer))

    def apply_to(self, stored: StoredResult, layer: Layer | None = None) -> None:
        """Draw the arrows of a result that came anew as is chosen now.

        Parameters
        ----------
        stored
            The result.
        layer
            Its motion layer; None: it is looked for.
        """
        layer = self._layer(stored) if layer is None else layer
        if layer is not None and choices_of(layer) != self.choices:
            self._want(stored, self.choices)

    def show_speeds(self) -> None:
        """Add the map of speeds of the result, at the moments that its layers show."""
        stored, name, share = self._stored, self._name, self.choices.hidden_share
        if stored is None:
            return
        layer = self._layer(stored)
        times = stored.times_ms if layer is None else known_of(layer)["times_ms"]

        def work() -> Any:
            stored.check_there()
            return speed_layer(stored, name, times, share)

        self._do("Computing speeds…", work, self._add_speeds)

    @property
    def computing(self) -> bool:
        """Whether arrows are about to change."""
        return self._computing or bool(self._wanted)

    def disconnect_viewer(self) -> None:
        """Listen no longer."""
        self._calm.stop()
        self._keys.disconnect_viewer()
        self._viewer.layers.events.disconnect(self._on_layers)

    # -- inside -------------------------------------------------------------

    def _layer(self, stored: StoredResult | None) -> Layer | None:
        found = [] if stored is None else layers_of(self._viewer, stored, "motion")
        return found[-1] if found else None

    def _changed(self) -> None:
        if self._stored is not None and self._layer(self._stored) is not None:
            self._want(self._stored, self.choices)

    def _take_now(self) -> None:
        """Count motion from the moment that the slider is at."""
        layer = self._layer(self._stored)
        index = None if layer is None else moment_shown(layer, self._viewer)
        if index is None:
            self._say("The slider is at a moment at which there is no result.", problem=True)
        else:
            self.form.set_reference(float(known_of(layer)["times_ms"][index]))

    def _want(self, stored: StoredResult, choices: ArrowChoices) -> None:
        self._wanted[str(stored.path)] = stored, choices
        self._calm.start()

    def _compute(self) -> None:
        """Compute the next arrows that are wanted; those that are wanted meanwhile follow."""
        if self._computing or not self._wanted:
            return
        store = next(iter(self._wanted))
        stored, choices = self._wanted[store]
        layer = self._layer(stored)
        if layer is None:
            del self._wanted[store]
            self._compute()
            return
        times = list(known_of(layer)["times_ms"])
        self._computing = True

        def work() -> Any:
            stored.check_there()
            return read_arrows(stored, times, choices)

        def done(made: Any) -> None:
            self._computing = False
            layer = self._layer(stored)
            as_then = layer is not None and list(known_of(layer)["times_ms"]) == times
            if self._wanted.get(store, (stored, None))[1] == choices and as_then:
                del self._wanted[store]
                show_arrows(layer, made, {})
                if not self._busy:
                    self._say(_FEWER if made.thinned else "")
            # Otherwise the choices or the moments have changed: once more.
            self._compute()

        def failed(error: Exception) -> None:
            self._computing = False
            self._wanted.pop(store, None)
            self._failed(error)

        self._background.submit(work, done, failed)

    def _add_speeds(self, made: Any) -> None:
        data, attributes, kind = made
        name = attributes["name"]
        known = [layer for layer in self._viewer.layers if known_of(layer).get("view") == VIEW and layer.name == name]
        if known:
            layer = known[0]
            layer.data = data
            for attribute in ("scale", "translate", "contrast_limits", "metadata"):
                setattr(layer, attribute, attributes[attribute])
            layer.visible = True
            return
        motion = self._layer(self._stored)
        index = None if motion is None else self._viewer.layers.index(motion)  # arrows stay above it
        layer = add_unselected(self._viewer, Layer.create(data, attributes, kind), index)
        layer.colorbar.position = "bottom_left"  # elsewhere are the key to the arrows and the time
        layer.colorbar.visible = True

    def _on_layers(self, event: Any) -> None:
        if event.type in ("inserted", "removed", "metadata"):  # the last where a run's layers become its result's
            self._refresh()

    def _refresh(self) -> None:
        layer = self._layer(self._stored)
        self.form.setEnabled(layer is not None)
        self.speed_button.setEnabled(self._stored is not None and not self._busy)
