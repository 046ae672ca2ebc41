"""Pages that lie on this machine are read in a window; the web is left to the browser."""

import pytest
from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices, QImage
from qtpy.QtWidgets import QWidget

from napari_nstm._qt.page_reader import PageReader, open_page


@pytest.fixture
def opened(monkeypatch):
    urls = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: urls.append(url.toString()))
    return urls


@pytest.fixture
def folder(tmp_path):
    image = QImage(1500, 30, QImage.Format.Format_RGB32)
    image.fill(0xFF00FF00)
    assert image.save(str(tmp_path / "wide.png"))
    (tmp_path / "one.md").write_text(
        "# One\n\nSee [two](two.md) or [the paper](https://example.org).\n\n![A bar](wide.png)\n"
    )
    (tmp_path / "two.md").write_text("# Two\n")
    return tmp_path


@pytest.fixture
def reader(folder, qtbot):
    made = PageReader(QUrl.fromLocalFile(str(folder / "one.md")))
    qtbot.addWidget(made)
    made.show()
    qtbot.waitExposed(made)
    return made


def test_links_to_pages_are_followed_and_lead_back(reader, opened):
    assert reader.page.toPlainText().startswith("One")
    assert not reader.back_button.isEnabled()
    reader.page.anchorClicked.emit(QUrl("two.md"))
    assert reader.page.toPlainText().strip() == "Two"
    reader.back_button.click()
    assert reader.page.toPlainText().startswith("One")
    assert opened == []


def test_links_to_the_web_open_in_the_browser(reader, opened):
    reader.page.anchorClicked.emit(QUrl("https://example.org"))
    assert opened == ["https://example.org"]
    assert reader.page.toPlainText().startswith("One")


def test_wide_pictures_are_seen_whole(reader, qtbot):
    assert reader.page.horizontalScrollBar().maximum() == 0
    picture = reader.page.viewport().grab().toImage()
    row = next(
        y for y in range(picture.height()) if picture.pixelColor(picture.width() // 2, y).getRgb()[:3] == (0, 255, 0)
    )
    green = [picture.pixelColor(x, row).getRgb()[:3] == (0, 255, 0) for x in range(picture.width())]
    assert sum(green) > 0.9 * len(green)
    assert not green[-1]  # its end is seen


def test_an_address_on_the_web_is_left_to_the_browser(opened, qtbot):
    parent = QWidget()
    qtbot.addWidget(parent)
    open_page("https://example.org/docs/", parent)
    assert opened == ["https://example.org/docs/"]
    assert parent.findChildren(PageReader) == []
