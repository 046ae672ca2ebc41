"""Pages of the documentation that lie on this machine, read in a window of their own."""

from typing import Any

from qtpy.QtCore import Qt, QUrl
from qtpy.QtGui import QColor, QDesktopServices, QImage, QPalette, QTextDocument
from qtpy.QtWidgets import QDialog, QHBoxLayout, QPushButton, QTextBrowser, QVBoxLayout, QWidget

_SIZE = (720, 640)
_PICTURE_PX = 660  # at most, so that it is seen whole
_SMOOTH = Qt.TransformationMode.SmoothTransformation
_LINK = "#3c8cf0"  # legible on dark and on light


class PageReader(QDialog):
    """Shows a page, and follows its links to other pages; those to the web open in the browser.

    Parameters
    ----------
    url
        A Markdown file.
    parent
        Owner in Qt's sense.
    """

    def __init__(self, url: QUrl, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Documentation")
        self.setSizeGripEnabled(True)
        self.page = _Page()
        self.page.setAccessibleName("Page of the documentation")
        self.page.setOpenLinks(False)  # it would show an empty page for what it cannot read
        self.back_button, close = QPushButton("Back"), QPushButton("Close")
        self.back_button.setEnabled(False)
        row = QHBoxLayout()
        row.addWidget(self.back_button)
        row.addStretch(1)
        row.addWidget(close)
        layout = QVBoxLayout(self)
        layout.addWidget(self.page, 1)
        layout.addLayout(row)
        self.page.anchorClicked.connect(self.follow)
        self.page.backwardAvailable.connect(self.back_button.setEnabled)
        self.back_button.clicked.connect(self.page.backward)
        close.clicked.connect(self.close)
        self.resize(*_SIZE)
        self.page.setSource(url)

    def follow(self, url: QUrl) -> None:
        """Follow a link."""
        url = self.page.source().resolved(url)
        if url.isLocalFile() and url.path().endswith(".md"):
            self.page.setSource(url)
        else:
            QDesktopServices.openUrl(url)


class _Page(QTextBrowser):
    """Text with pictures that fit into the window."""

    def __init__(self) -> None:
        super().__init__()
        palette = self.palette()
        palette.setColor(QPalette.ColorRole.Link, QColor(_LINK))
        self.setPalette(palette)

    def loadResource(self, kind: int, url: QUrl) -> Any:  # noqa: N802
        """Qt's name: read a picture, made as narrow as the window."""
        if kind != QTextDocument.ResourceType.ImageResource.value:
            return super().loadResource(kind, url)
        image = QImage(self.source().resolved(url).toLocalFile())
        return image.scaledToWidth(_PICTURE_PX, _SMOOTH) if image.width() > _PICTURE_PX else image


def open_page(address: str, parent: QWidget) -> None:
    """Open a page: on the web in the browser, a file in a window of its own."""
    url = QUrl(address)
    if not url.isLocalFile():
        QDesktopServices.openUrl(url)
        return
    reader = PageReader(url, parent)
    reader.finished.connect(reader.deleteLater)
    reader.show()
