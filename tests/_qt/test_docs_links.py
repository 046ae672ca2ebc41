"""Links lead to the site if there is one, else to the repository, else to the files themselves."""

from pathlib import Path

import pytest

from napari_nstm._qt import docs_links


@pytest.fixture
def urls(monkeypatch):
    known = {}
    monkeypatch.setattr(docs_links, "_project_urls", lambda: known)
    return known


def test_a_site_comes_before_the_repository(urls):
    urls["repository"] = "https://example.org/code"
    assert docs_links.page_url("dpc") == "https://example.org/code/blob/main/docs/dpc.md"
    urls["documentation"] = "https://example.org/docs"
    assert docs_links.page_url("dpc") == "https://example.org/docs/dpc/"


def test_without_either_the_files_are_linked(urls, tmp_path, monkeypatch):
    package = tmp_path / "src" / "napari_nstm"
    for folder in (package, tmp_path / "docs"):
        folder.mkdir(parents=True)
    (tmp_path / "docs" / "dpc.md").touch()
    monkeypatch.setattr(docs_links.napari_nstm, "__file__", str(package / "__init__.py"))
    assert docs_links.page_url("dpc") == (tmp_path / "docs" / "dpc.md").as_uri()
    assert docs_links.page_url("sim") is None
    (package / "docs").mkdir()  # pages that came with the package are those of this version
    (package / "docs" / "dpc.md").touch()
    assert docs_links.page_url("dpc") == (package / "docs" / "dpc.md").as_uri()


def test_the_metadata_of_the_package_are_read(monkeypatch):
    lines = ["Documentation, https://example.org/docs/", "Source Code, https://example.org/code"]
    monkeypatch.setattr(docs_links, "metadata", lambda _: type("M", (), {"get_all": lambda self, _: lines})())
    docs_links._project_urls.cache_clear()
    try:
        assert docs_links._project_urls() == {
            "documentation": "https://example.org/docs",
            "source code": "https://example.org/code",
        }
    finally:
        docs_links._project_urls.cache_clear()


def test_every_page_that_is_linked_is_there():
    from napari_nstm._qt.setup.first_steps import _PAGES

    docs = Path(__file__).parents[2] / "docs"
    assert all((docs / f"{page}.md").is_file() for page, _ in _PAGES)
