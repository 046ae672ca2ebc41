"""The part of the field that is reconstructed, as a rectangle that is drawn upon the raw frames."""

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Shapes
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_nstm._qt.form.row import ProblemLine, WrappedLabel
from napari_nstm._qt.raw_layer import axes_of, shape_of
from napari_nstm._qt.setup.job_form import JobForm
from napari_nstm._qt.setup.region_layer import RegionLayer, corners_on
from napari_nstm._qt.setup.region_px import fits, in_words, region_of
from napari_nstm.core.settings import LEAST_REGION_PX, Region

_SETTLED_MS = 150  # after the last change of the rectangle
_GONE = "The rectangle was deleted: the whole field is reconstructed."


class RegionTool(QWidget):
    """Draws the region, says what it is, and gives it up for the whole field.

    Parameters
    ----------
    viewer
        Where it is drawn: a Shapes layer of its own.
    form
        Whose region and raw frames they are.
    parent
        Owner in Qt's sense.
    """

    whole_field_asked = Signal()
    """The user wants the whole field reconstructed with the settings of the run before."""

    def __init__(self, viewer: ViewerModel, form: JobForm, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer, self._form = viewer, form
        self._shapes = RegionLayer(viewer, self)
        self._raw: Image | None = None  # what the region is drawn upon
        self._beside: Shapes | None = None  # the user's own Shapes layer that is selected
        self._known: Region | None = None  # the form's, as far as it was seen
        self.about, self.note = WrappedLabel(), WrappedLabel()
        self.draw_button, self.whole_button = QPushButton(), QPushButton("Whole field")
        self.use_button = QPushButton("Use the selected rectangle")
        self.again_button = QPushButton("Run the whole field with these settings")
        self.problem = ProblemLine()
        self._lay_out()
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.setInterval(_SETTLED_MS)
        self._settled.timeout.connect(self._take)
        self.draw_button.clicked.connect(self.draw)
        self.use_button.clicked.connect(self.use_selected)
        self.whole_button.clicked.connect(self.whole_field)
        self.again_button.clicked.connect(self.whole_field_asked)
        self._shapes.moved.connect(self._moved)
        self._shapes.deleted.connect(self._deleted)
        form.changed.connect(self._follow)
        form.region_problem.connect(self.show_problem)
        form.raw.chosen.connect(self._follow)
        form.raw.data_changed.connect(self._follow)
        viewer.layers.selection.events.active.connect(self._selection_changed)
        self.offer_whole_field(False)
        self._say("")
        self._selection_changed()
        self._follow()

    # -- what a user asks for -----------------------------------------------

    def draw(self) -> None:
        """Put a rectangle in the middle of the field, half its size; one that is there is to be moved again."""
        field = self._field()
        if self._shapes.n_shapes:
            self._shapes.grab()
        elif field is not None:
            self.ask(field[0] // 2, field[1] // 2)

    def ask(self, rows: int, columns: int) -> None:
        """Draw a rectangle of a size in raw pixels in the middle of the field."""
        field = self._field()
        if field is not None:
            middle, half = (np.array(field) - 1) / 2, np.maximum((rows, columns), LEAST_REGION_PX) / 2
            self._set(region_of(np.stack([middle - half, middle + half]), field))

    def use_selected(self) -> None:
        """Take the region from the newest shape of the user's own Shapes layer that is selected."""
        layer, field = self._beside, self._field()
        if layer is None or field is None or not len(layer.data):
            return
        if self._set(region_of(corners_on(layer, self._raw), field)):
            self._say(f"Taken from “{layer.name}”; what is moved now is a rectangle of its own.")

    def whole_field(self) -> None:
        """Reconstruct everything, and take the rectangle away."""
        self._say("")
        self._settled.stop()
        self._shapes.drop()
        self._give(None)

    # -- what others say ----------------------------------------------------

    def offer_whole_field(self, offered: bool) -> None:
        """Offer to run the whole field with the settings of a run that had a region."""
        self.again_button.setVisible(offered)

    def show_problem(self, text: str) -> None:
        """Show what is wrong with the region; an empty text takes it away."""
        self.problem.set_text(text)
        self.draw_button.setAccessibleDescription(text)

    def disconnect_viewer(self) -> None:
        """Listen no longer; the rectangle stays."""
        self._settled.stop()
        self._shapes.disconnect_viewer()
        self._viewer.layers.selection.events.active.disconnect(self._selection_changed)
        self._watch_beside(None)
        self._listen_to(None)

    # -- between rectangle and form -----------------------------------------

    def _set(self, region: Region | None) -> bool:
        """Draw a region and take it; returns False where the field has no room for one."""
        if region is None:
            self._say(f"A region needs {LEAST_REGION_PX} × {LEAST_REGION_PX} px of the field.")
            return False
        self._say("")
        self._settled.stop()
        self._shapes.show(region, self._raw)
        self._shapes.grab()
        self._give(region)
        return True

    def _give(self, region: Region | None) -> None:
        """Make a region the form's."""
        self._known = region
        self._form.region = region
        self._refresh()

    def _take(self) -> None:
        """Make what is drawn the form's region."""
        n = self._shapes.n_shapes
        if n > 1:
            self._say(f"The newest of {n} shapes counts.")
        elif n:
            self._say("" if self._shapes.is_box() else "What counts is the box around the shape.")
        elif self._known is not None:
            self._say(_GONE)
        self._give(self._drawn())

    def _drawn(self) -> Region | None:
        corners, field = self._shapes.corners(), self._field()
        return None if corners is None or field is None else region_of(corners, field)

    def _field(self) -> tuple[int, int] | None:
        """Return rows and columns of the raw frames; None where they cannot be told."""
        layer = self._raw
        if layer is None or (axes_of(layer) or "yx")[-2:] != "yx":
            return None
        return shape_of(layer)[-2:]

    # -- what happens -------------------------------------------------------

    def _follow(self, _: object = None) -> None:
        """Show the form's region, whoever set it, upon the raw frames that are chosen."""
        raw, region = self._form.raw.layer, self._form.region
        if raw != self._raw:
            self._listen_to(raw)
            if region is None and self._known is not None:
                self._say("" if raw is None else "Other frames: the whole field is reconstructed.")
        field = self._field()
        if region is not None and field is not None and not fits(region, field):
            self._shapes.drop_soon()
            self._say("The region does not lie within these frames: the whole field is reconstructed.")
            self._give(None)
        elif region != self._known:
            self._settled.stop()
            self._known = region
            if region is None:
                self._shapes.drop_soon()
            elif field is not None:
                self._shapes.show(region, raw)
        self._refresh()

    def _moved(self) -> None:
        self._settled.start()
        self._refresh()

    def _deleted(self) -> None:
        self._settled.stop()
        if self._known is not None:
            self._say(_GONE)
        self._give(None)

    def _selection_changed(self, _: object = None) -> None:
        layer = self._viewer.layers.selection.active
        self._watch_beside(layer if isinstance(layer, Shapes) and layer != self._shapes.layer else None)
        self._refresh()

    def _watch_beside(self, layer: Shapes | None) -> None:
        """Hear when something is drawn in the user's own layer."""
        if self._beside is not None:
            self._beside.events.data.disconnect(self._refresh)
        self._beside = layer
        if layer is not None:
            layer.events.data.connect(self._refresh)

    def _listen_to(self, raw: Image | None) -> None:
        """Follow where the raw layer lies."""
        for layer, on in ((self._raw, False), (raw, True)):
            if layer is not None:
                events = layer.events
                for event in (events.scale, events.translate, events.units, events.axis_labels):
                    event.connect(self._raw_placed) if on else event.disconnect(self._raw_placed)
        self._raw = raw

    def _raw_placed(self, _: object = None) -> None:
        self._shapes.place(self._raw)
        self._refresh()

    # -- what is said -------------------------------------------------------

    def _refresh(self, _: object = None) -> None:
        raw, field = self._raw, self._field()
        # While the rectangle is on its way the form does not know yet.
        region = self._drawn() if self._settled.isActive() else self._known
        self.setVisible(raw is not None)
        self.about.setText(f"Region: {in_words(region)}")
        self.draw_button.setText("Draw a rectangle" if region is None else "Move it")
        self.draw_button.setToolTip(
            "Limit the run to a part of the field: settings are tuned in seconds on a small one."
            if region is None
            else "Select the rectangle, to move it and to pull at its corners."
        )
        takes = getattr(self._form.modality, "takes_regions", True)
        if not takes:
            self.draw_button.setToolTip("This method needs the whole of an image.")
        self.draw_button.setEnabled(field is not None and takes)
        drawn = self._beside is not None and len(self._beside.data) > 0
        self.use_button.setVisible(takes and field is not None and drawn)
        self.whole_button.setVisible(region is not None)
        if raw is not None and field is None:
            self._say(f"A region cannot be drawn: y and x are not the last axes of “{raw.name}”.")

    def _say(self, text: str) -> None:
        self.note.setText(text)
        self.note.setVisible(bool(text))

    def _lay_out(self) -> None:
        self.about.setAccessibleName("Region")
        self.note.setAccessibleName("What there is to say of the region")
        self.use_button.setToolTip("Take the region from the newest shape of the selected Shapes layer.")
        self.whole_button.setToolTip("Reconstruct everything; the rectangle is taken away.")
        self.again_button.setToolTip("Start a run with the settings that suited the region.")
        row = QHBoxLayout()
        row.addWidget(self.draw_button, 1)
        row.addWidget(self.whole_button, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 2, 0, 2)
        layout.setSpacing(4)
        layout.addWidget(self.about)
        layout.addLayout(row)
        for widget in (self.use_button, self.again_button, self.note, self.problem):
            layout.addWidget(widget)
