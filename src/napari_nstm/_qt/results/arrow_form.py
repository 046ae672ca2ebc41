"""Where the user says how arrows are drawn."""

from itertools import pairwise
from typing import get_args

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QAbstractSpinBox, QDoubleSpinBox, QGridLayout, QHBoxLayout, QLabel, QSpinBox, QWidget

from napari_nstm._qt.form.editors import CalmComboBox
from napari_nstm._qt.layers.arrows import ArrowColor
from napari_nstm._qt.layers.motion import ArrowChoices

_FEWEST, _MOST = 5, 60
_LONGEST = 1000.0
_AUTOMATIC = "automatic"
_NOW, _AT = "now", "at"


class ArrowForm(QWidget):
    """Density, reference, length, colour and threshold of arrows."""

    changed = Signal()
    """The user changed something."""
    now_asked = Signal()
    """Motion is to be counted from the moment that the slider is at."""

    def __init__(self) -> None:
        super().__init__()
        self._quiet = False
        self.density = QSpinBox()
        self.density.setRange(_FEWEST, _MOST)
        self.density.setValue(ArrowChoices().across)
        self.density.setSuffix(" across")
        self.density.setToolTip("Arrows along the longest side of the field.")
        self.what = CalmComboBox()
        self.what.addItem("since a reference", False)
        self.what.addItem("to the next moment", True)
        self.what.setToolTip(
            "Arrows go from where the sample is at the reference time to where it is at the moment that is shown, "
            "or from the moment that is shown to the next."
        )
        self.reference = CalmComboBox()
        for text, value in (("first frame", "first"), ("last frame", "last"), ("this moment", _NOW), ("time", _AT)):
            self.reference.addItem(text, value)
        self.reference.setToolTip(
            "Time from which motion is counted; “this moment” takes the one that the slider is at now."
        )
        self.time = QDoubleSpinBox()
        self.time.setRange(-1e9, 1e9)
        self.time.setDecimals(3)
        self.time.setSuffix(" ms")
        self.time.setToolTip("Reference time in ms, within the acquisition.")
        self.length = QDoubleSpinBox()
        self.length.setRange(0, _LONGEST)
        self.length.setDecimals(2)
        self.length.setPrefix("× ")
        self.length.setSpecialValueText(_AUTOMATIC)
        self.length.setToolTip("By how much arrows are lengthened: 1 is true to scale; 0: so that they can be seen.")
        self.color = CalmComboBox()
        for by in get_args(ArrowColor):
            self.color.addItem(by, by)
        self.color.setToolTip("What the colour of arrows tells.")
        self.hidden = QSpinBox()
        self.hidden.setRange(-1, 100)
        self.hidden.setValue(-1)
        self.hidden.setSuffix(" %")
        self.hidden.setSpecialValueText(_AUTOMATIC)
        self.hidden.setToolTip(
            "Arrows are hidden where the signal is under this share of the strongest; automatic: 20 %, 0: nowhere."
        )
        self._lay_out()
        for widget, name in (
            (self.density, "Density of arrows"),
            (self.color, "Colour of arrows"),
            (self.what, "What arrows show"),
            (self.length, "Length of arrows"),
            (self.reference, "Reference time of arrows"),
            (self.time, "Reference time in ms"),
            (self.hidden, "Least signal for arrows"),
        ):
            widget.setAccessibleName(name)
            widget.setMinimumWidth(60)  # a dock may be narrow
            if isinstance(widget, QAbstractSpinBox):
                widget.setKeyboardTracking(False)
                widget.valueChanged.connect(self._on_change)
            else:
                widget.currentIndexChanged.connect(self._on_change)
        self._show_parts()

    @property
    def choices(self) -> ArrowChoices:
        """What is chosen."""
        reference = self.reference.currentData()
        return ArrowChoices(
            across=self.density.value(),
            reference=reference if reference in ("first", "last") else self.time.value(),
            successive=self.what.currentData(),
            stretch=self.length.value() or None,
            color=self.color.currentData(),
            hidden_share=None if self.hidden.value() < 0 else self.hidden.value() / 100,
        )

    def set_choices(self, choices: ArrowChoices) -> None:
        """Show what is chosen already; nobody is told."""
        self._quiet = True
        self.density.setValue(choices.across)
        self.what.setCurrentIndex(self.what.findData(choices.successive))
        named = isinstance(choices.reference, str)
        self.reference.setCurrentIndex(self.reference.findData(choices.reference if named else _AT))
        if not named:
            self.time.setValue(choices.reference)
        self.length.setValue(choices.stretch or 0)
        self.color.setCurrentIndex(self.color.findData(choices.color))
        self.hidden.setValue(-1 if choices.hidden_share is None else round(100 * choices.hidden_share))
        self._show_parts()
        self._quiet = False

    def set_reference(self, time_ms: float) -> None:
        """Count motion from a time, as if the user had chosen it."""
        self._quiet = True
        self.time.setValue(time_ms)
        self.reference.setCurrentIndex(self.reference.findData(_AT))
        self._quiet = False
        self._on_change()

    # -- inside -------------------------------------------------------------

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        rows: tuple[tuple[str, tuple[QWidget, ...]], ...] = (
            ("Show", (self.what,)),
            ("From", (self.reference, self.time)),
            ("Colour", (self.color,)),
            ("Density", (self.density,)),
            ("Length", (self.length,)),
            ("Hide under", (self.hidden,)),
        )
        for row, (text, widgets) in enumerate(rows):
            label = QLabel(text)
            label.setBuddy(widgets[0])
            grid.addWidget(label, row, 0)
            beside = QHBoxLayout()
            for widget in widgets:
                beside.addWidget(widget, 1)
            grid.addLayout(beside, row, 1)
        grid.setColumnStretch(1, 1)
        # Reading order.
        for before, after in pairwise([widget for _, widgets in rows for widget in widgets]):
            QWidget.setTabOrder(before, after)

    def _on_change(self, _: object = None) -> None:
        if self._quiet:
            return
        if self.reference.currentData() == _NOW:
            self._quiet = True
            self.reference.setCurrentIndex(self.reference.findData(_AT))
            self._quiet = False
            self.now_asked.emit()
            return
        self._show_parts()
        self.changed.emit()

    def _show_parts(self) -> None:
        since = not self.what.currentData()
        self.reference.setEnabled(since)
        self.time.setEnabled(since)
        self.time.setVisible(self.reference.currentData() == _AT)
