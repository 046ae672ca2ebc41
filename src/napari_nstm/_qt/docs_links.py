"""Where the pages of the documentation are: hosted, in the repository, or beside the source."""

from functools import cache
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import napari_nstm

_HOSTED, _REPOSITORY = ("documentation", "docs"), ("repository", "source", "source code", "homepage")


def page_url(page: str) -> str | None:
    """Return the address of a page (`napari`, `dpc`), or None where there is nothing to link to.

    The package's own metadata (`project.urls`) name the site or the repository; where they name neither, the page is
    taken from the package or from the checkout it was installed from.
    """
    urls = _project_urls()
    for label in _HOSTED:
        if label in urls:
            return f"{urls[label]}/{page}/"
    for label in _REPOSITORY:
        if label in urls:
            return f"{urls[label]}/blob/main/docs/{page}.md"
    package = Path(napari_nstm.__file__).parent
    for folder in (package / "docs", package.parents[1] / "docs"):
        if (folder / f"{page}.md").is_file():
            return (folder / f"{page}.md").as_uri()
    return None


@cache
def _project_urls() -> dict[str, str]:
    try:
        lines = metadata("napari-nstm").get_all("Project-URL") or []
    except PackageNotFoundError:
        return {}
    pairs = (line.partition(",") for line in lines)
    return {label.strip().lower(): url.strip().rstrip("/") for label, _, url in pairs}
