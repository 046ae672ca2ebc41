"""The title of a part of a panel."""

from qtpy.QtWidgets import QLabel


def heading(text: str) -> QLabel:
    """Make a title in bold."""
    label = QLabel(text)
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    return label
