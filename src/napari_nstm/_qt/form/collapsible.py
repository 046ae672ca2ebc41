"""A group that opens and closes.

superqt's own sets a greatest height that is too small for texts that wrap; this one leaves heights to the layout.
"""

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QSizePolicy, QToolButton, QVBoxLayout, QWidget


class Collapsible(QWidget):
    """A title with an arrow, and a widget that it shows or hides; closed at first.

    Parameters
    ----------
    title
        What is in it.
    content
        The widget; it becomes a child.
    parent
        Owner in Qt's sense.
    """

    def __init__(self, title: str, content: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._button = QToolButton(self)
        self._button.setText(title)
        self._button.setAutoRaise(True)
        self._button.setArrowType(Qt.ArrowType.RightArrow)
        self._button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._content, self._is_open = content, False
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self._button)
        layout.addWidget(content)
        content.setVisible(False)
        self._button.clicked.connect(self._on_clicked)

    def is_open(self) -> bool:
        """Whether the content is shown."""
        return self._is_open

    def set_open(self, is_open: bool = True) -> None:
        """Show or hide the content."""
        self._is_open = is_open
        self._button.setArrowType(Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow)
        self._button.setAccessibleDescription("open" if is_open else "closed")
        self._content.setVisible(is_open)

    def _on_clicked(self) -> None:
        self.set_open(not self._is_open)
