"""Names that people call things by."""

_TITLES = {"fista_tv": "FISTA-TV"}


def comparison_title(name: str) -> str:
    """Return what people call a comparison that a result holds."""
    return _TITLES.get(name, name.replace("_", " "))
