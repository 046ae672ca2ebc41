"""What a run will do, and what it needs, before Run is pressed; where that is too much, the ways out."""

from collections.abc import Sequence
from typing import Any

import psutil
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)
from superqt import QElidingLabel

from napari_nstm._qt.form.collapsible import Collapsible
from napari_nstm._qt.form.row import WrappedLabel
from napari_nstm._qt.form.text import plain
from napari_nstm._qt.running.run_bar import duration, memory
from napari_nstm._qt.setup.region_px import in_words
from napari_nstm.core.events import Prepared
from napari_nstm.core.settings import Job

_PARTS = 1000  # of the bar
_BAR_PX, _BAR_LEAST_PX = 8, 24
_OPEN_NOTICES = 2
_SHOWN_IN_MM = 1000.0  # from so many µm on
# (row, column, columns) of each fact: label and value.
_PLACES = {
    "Frames": (0, 0, 3),
    "Axes": (1, 0, 1),
    "Duration": (1, 2, 1),
    "Region": (2, 0, 1),
    "Time": (2, 2, 1),
    "Device": (3, 0, 3),
    "Tiles": (4, 0, 3),
}
_STRETCH = {1: 5, 3: 4}
_TIPS = {
    "Region": "Part of the frames that is reconstructed.",
    "Time": "Estimated time of the fit, without compiling.",
    "Device": "What it is computed on.",
    "Tiles": "Parts of the field that are reconstructed on their own, and blended.",
}


class PreflightCard(QFrame):
    """A few aligned lines: frames, axes, duration, region, device, memory, time; and what the checks noticed.

    Parameters
    ----------
    parent
        Owner in Qt's sense.
    """

    region_asked = Signal(int, int)
    """Rows and columns of a region for which the memory will do."""
    tiles_asked = Signal(int)
    """Largest side of a tile in raw pixels for which the memory will do."""
    batch_asked = Signal()
    """Fewer images at a time are to be rendered."""
    cpu_asked = Signal()
    """The CPU is to be used in place of the GPU."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.setAccessibleName("What a run will do")
        self.state = WrappedLabel()
        self.values = {name: QElidingLabel() for name in _PLACES} | {"Memory": QLabel()}
        self.bar = QProgressBar()
        self.tiles_button, self.region_button = QPushButton(), QPushButton()
        self.batch_button, self.cpu_button = QPushButton("Fewer images at a time"), QPushButton("Use the CPU")
        self._facts, self._ways = QWidget(), QWidget()
        self._shown_notices: tuple[str, ...] = ()
        self._notices = QVBoxLayout()
        self._fits: tuple[int, int] = (0, 0)
        self._tile_px = 0
        self._titles: dict[str, QLabel] = {}
        self._lay_out()
        self.tiles_button.clicked.connect(lambda: self.tiles_asked.emit(self._tile_px))
        self.region_button.clicked.connect(lambda: self.region_asked.emit(*self._fits))
        self.batch_button.clicked.connect(self.batch_asked)
        self.cpu_button.clicked.connect(self.cpu_asked)
        self.say("")

    @property
    def words(self) -> str:
        """All that is said, as screen readers have it."""
        return self.accessibleDescription()

    def say(self, text: str) -> None:
        """Show a sentence in place of the facts ("Choose raw frames first."); an empty one hides the card."""
        self.state.setText(text)
        self.state.show()
        self._facts.hide()
        self._ways.hide()
        self._show_notices(())
        self.setAccessibleDescription(text)
        self.setVisible(bool(text))

    def show_outlook(
        self, prepared: Prepared | None, job: Job, notices: Sequence[str] = (), tile_px: int | None = None
    ) -> None:
        """Say what was understood, and what it takes.

        Parameters
        ----------
        prepared
            What the fitting process estimated; None while that is not known.
        job
            The job it is the estimate of.
        notices
            Sentences of the checks.
        tile_px
            Largest side of a tile for which the memory will do; None: tiles do not help.
        """
        if prepared is None:
            self.say("Looking at the frames…")
            return
        facts = _facts(prepared, job)
        for name, (value, detail) in facts.items():
            label = self.values[name]
            for part in (label, self._titles[name]):
                part.setVisible(bool(value))
            label.setText(value)
            label.setToolTip(f"{detail or value}\n{_TIPS.get(name, '')}".strip())
        said = [f"{name} {value}" for name, (value, _) in facts.items() if value]
        self.setAccessibleDescription("; ".join([*said, *notices]))
        self._show_memory(prepared, job)
        self._show_ways(prepared, job, tile_px)
        self._show_notices(tuple(notices))
        self.state.hide()
        self._facts.show()
        self.show()

    # -- inside -------------------------------------------------------------

    def _show_memory(self, prepared: Prepared, job: Job) -> None:
        free = _free_bytes(prepared, job)
        self.bar.setVisible(free is not None)
        if free is not None:
            self.bar.setValue(min(_PARTS, round(_PARTS * prepared.memory_bytes / max(free, 1))))
            self.bar.setToolTip(self.values["Memory"].toolTip())

    def _show_ways(self, prepared: Prepared, job: Job, tile_px: int | None) -> None:
        """Offer what helps where the memory will not do."""
        free, fits = _free_bytes(prepared, job), prepared.fits_px
        lacks = free is not None and prepared.memory_bytes > free
        if tile_px is not None:
            self._tile_px = tile_px
            self.tiles_button.setText(f"Tiles of {tile_px} px")
        self.tiles_button.setVisible(lacks and tile_px is not None)
        has_region = lacks and fits is not None
        if fits is not None:
            self._fits = fits
            self.region_button.setText(f"Region of {_size(fits)} px")
        self.region_button.setVisible(has_region)
        # One image at a time is the least.
        self.batch_button.setVisible(lacks and prepared.n_frames > 1 and job.fit.images_per_step != 1)
        on_gpu = prepared.device.startswith("GPU")
        self.cpu_button.setVisible(lacks and on_gpu and psutil.virtual_memory().available > prepared.memory_bytes)
        self._ways.setVisible(lacks)

    def _show_notices(self, notices: tuple[str, ...]) -> None:
        if notices == self._shown_notices:
            return  # one that was opened stays open
        self._shown_notices = notices
        while self._notices.count():
            old = self._notices.takeAt(0).widget()
            old.hide()
            old.deleteLater()
        labels = [WrappedLabel(notice) for notice in notices]
        if len(labels) > _OPEN_NOTICES:
            held = QWidget()
            lines = QVBoxLayout(held)
            lines.setContentsMargins(0, 0, 0, 0)
            for label in labels:
                lines.addWidget(label)
            self._notices.addWidget(Collapsible(f"{len(labels)} notices", held))
        else:
            for label in labels:
                self._notices.addWidget(label)

    def _lay_out(self) -> None:
        self._facts.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)  # lines are never squeezed
        grid = QGridLayout(self._facts)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(6)
        grid.setVerticalSpacing(1)
        for name, (row, column, span) in _PLACES.items():
            self._titles[name] = QLabel(name)
            grid.addWidget(self._titles[name], row, column)
            grid.addWidget(self.values[name], row, column + 1, 1, span)
        for column, share in _STRETCH.items():
            grid.setColumnStretch(column, share)
        for name, label in self.values.items():
            label.setAccessibleName(name)
        self.bar.setRange(0, _PARTS)
        self.bar.setTextVisible(False)
        self.bar.setMaximumHeight(_BAR_PX)
        self.bar.setMinimumWidth(_BAR_LEAST_PX)
        self.bar.setAccessibleName("Memory needed of that which is free")
        held = QHBoxLayout()
        held.addWidget(self.values["Memory"])
        held.addWidget(self.bar, 1)
        self._titles["Memory"] = QLabel("Memory")
        grid.addWidget(self._titles["Memory"], 5, 0)
        grid.addLayout(held, 5, 1, 1, 3)
        self.tiles_button.setToolTip(
            "Reconstruct the whole field in tiles of at most so many raw pixels, for each of which the memory will do; "
            "neighbours are blended."
        )
        self.region_button.setToolTip("Draw a rectangle of this size, for which the memory will do; it can be moved.")
        self.batch_button.setToolTip("Render fewer raw images in a step of the fit: less memory, more time.")
        self.cpu_button.setToolTip("Compute with the main memory, which will do; that takes longer.")
        ways = QVBoxLayout(self._ways)
        ways.setContentsMargins(0, 2, 0, 0)
        ways.setSpacing(3)
        for button in (self.tiles_button, self.region_button, self.batch_button, self.cpu_button):
            ways.addWidget(button)
        self._notices.setSpacing(2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 4, 8, 4)
        layout.setSpacing(3)
        layout.addWidget(self.state)
        layout.addWidget(self._facts)
        layout.addWidget(self._ways)
        layout.addLayout(self._notices)


def _facts(prepared: Prepared, job: Job) -> dict[str, tuple[str, str]]:
    """Return each fact in few words, and in more."""
    size = _size(prepared.shape)
    um = job.acquisition.get("pixel_size_um")
    length = ""
    if isinstance(um, int | float):
        sizes = [n * um for n in prepared.shape[-2:]]
        unit, per_um = ("mm", 1e-3) if max(sizes) >= _SHOWN_IN_MM else ("µm", 1.0)
        length = " (" + " × ".join(f"{size * per_um:.3g}" for size in sizes) + f" {unit})"
    n = prepared.n_frames
    part, where = ("the whole field", "") if job.region is None else ("a part of it", in_words(job.region))
    order = job.acquisition.get("image_order")
    took = f"{plain(round(prepared.duration_ms, 3))} ms"
    time = "not known" if prepared.expected_s is None else f"about {duration(prepared.expected_s)}"
    steps = f"{prepared.n_steps} steps of the fit{', of all tiles' if prepared.n_tiles else ''}."
    return {
        "Frames": (f"{n} of {size} px{length}", prepared.summary),
        "Axes": (prepared.axes, f"Order of the images: {order}." if order else ""),
        "Duration": (took, "From the first moment to the last."),
        "Region": (part, f"{where[:1].upper()}{where[1:]}." if where else ""),
        "Time": (time, steps),
        "Device": (prepared.device, ""),
        "Tiles": _tiles(prepared, job),
        "Memory": _memory(prepared, job),
    }


def _tiles(prepared: Prepared, job: Job) -> tuple[str, str]:
    n = prepared.n_tiles
    if not n:
        return "", ""
    size = f" of {_size(prepared.tile_px)} px" if prepared.tile_px is not None else ""
    scheduler = job.compute.scheduler
    how = "one after another" if scheduler is None else "on a Dask cluster"
    where = "" if scheduler is None else f"The cluster's scheduler is {scheduler}; it takes less time by its workers."
    return f"{n}{size}, {how}" if n > 1 else f"1{size}: the whole", where


def _free_bytes(prepared: Prepared, job: Job) -> int | None:
    """Return what is free where it is computed; of a cluster's machines that is not known."""
    return prepared.memory_free_bytes if job.compute.scheduler is None or not prepared.n_tiles else None


def _memory(prepared: Prepared, job: Job) -> tuple[str, str]:
    needed, free = memory(prepared.memory_bytes), _free_bytes(prepared, job)
    of_tile = "of one tile" if prepared.n_tiles > 1 else ""
    if free is None:
        return f"{needed} {of_tile}".strip(), "Estimated need; how much is free is not known."
    if prepared.memory_bytes > free:
        words = f"The fit{f' {of_tile}' if of_tile else ''} needs about {needed}, and {memory(free)} are free."
        return f"⚠ {needed} of {memory(free)} free", words
    planned = "what is free on the device, or the part of it that napari's preferences name"
    need = f"Estimated need{f' {of_tile}' if of_tile else ''}"
    return f"{needed} of {memory(free)} free", f"{need}, of the {memory(free)} that a run may use: {planned}."


def _size(shape: Sequence[Any]) -> str:
    return " × ".join(map(str, shape))
