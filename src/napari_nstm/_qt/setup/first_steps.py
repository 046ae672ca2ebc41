"""What to do first, where there are no raw frames yet: three steps, samples, and where to read on."""

from pathlib import Path

from npe2 import PluginManifest
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFrame, QPushButton, QVBoxLayout, QWidget
from superqt import QFlowLayout

import napari_nstm
from napari_nstm._qt.docs_links import page_url
from napari_nstm._qt.form.row import WrappedLabel
from napari_nstm._qt.heading import heading
from napari_nstm._qt.page_reader import open_page
from napari_nstm._qt.setup.raw_picker import RawPicker

_STEPS = (
    "Open your frames: drop the files onto the viewer. Or try a sample:",
    "Say how they were taken: choose the method, and fill in what is marked. A sample fills this in.",
    "Press Run: the picture sharpens while you watch, and the slider goes through time.",
)
_PAGES = (("napari", "In napari"), ("dpc", "DPC"), ("sim", "SIM"), ("diffusercam", "DiffuserCam"))
_INDENT_PX = 16


class FirstSteps(QFrame):
    """Three steps for who has no raw frames in the viewer; hidden as long as there are some.

    Parameters
    ----------
    raw
        Knows whether there are raw frames.
    parent
        Owner in Qt's sense.
    """

    sample_asked = Signal(str)
    """Key of the sample that the user wants to try, as `viewer.open_sample` takes it."""

    def __init__(self, raw: RawPicker, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self._raw = raw
        self.sample_buttons: dict[str, QPushButton] = {}
        self.page_buttons: dict[str, QPushButton] = {}
        layout = QVBoxLayout(self)
        layout.setSpacing(6)
        layout.addWidget(heading("First steps"))
        for number, step in enumerate(_STEPS, 1):
            layout.addWidget(WrappedLabel(f"{number}.  {step}"))
            if number == 1:
                layout.addWidget(self._samples())
        pages, more = self._pages(), WrappedLabel("Read on in the documentation:")
        for widget in (more, pages):
            widget.setVisible(bool(self.page_buttons))
            layout.addWidget(widget)
        raw.candidates_changed.connect(self._follow)
        self._follow()

    def _samples(self) -> QWidget:
        """Make a button for each sample of the manifest: new ones need nothing here."""
        holder, flow = _flow()
        manifest = PluginManifest.from_file(Path(napari_nstm.__file__).with_name("napari.yaml"))
        for sample in manifest.contributions.sample_data or []:
            title, _, about = sample.display_name.partition(" (")
            button = QPushButton(title)
            more = f" ({about}" if about else ""
            button.setToolTip(f"Simulate these frames and open them{more}.")
            button.clicked.connect(lambda _=False, key=sample.key: self.sample_asked.emit(key))
            self.sample_buttons[sample.key] = button
            flow.addWidget(button)
        return holder

    def _pages(self) -> QWidget:
        """Make a button for each page of the documentation that can be reached."""
        holder, flow = _flow()
        for page, title in _PAGES:
            url = page_url(page)
            if url is not None:
                button = QPushButton(title)
                button.setToolTip(f"Open the documentation: {url}")
                button.setAccessibleName(f"Documentation: {title}")
                button.clicked.connect(lambda _=False, url=url: open_page(url, self))
                self.page_buttons[page] = button
                flow.addWidget(button)
        return holder

    def _follow(self) -> None:
        self.setVisible(not self._raw.candidates())


def _flow() -> tuple[QWidget, QFlowLayout]:
    holder = QWidget()
    flow = QFlowLayout(holder)
    flow.setContentsMargins(_INDENT_PX, 0, 0, 0)
    return holder, flow
