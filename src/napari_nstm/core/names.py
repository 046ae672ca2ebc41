"""Names of settings in a user's words: without underscores, and with their units."""

from __future__ import annotations

_UNIT_OF_SUFFIX = {
    "per_um": "1/µm",
    "um": "µm",
    "nm": "nm",
    "mm": "mm",
    "us": "µs",
    "ms": "ms",
    "s": "s",
    "deg": "°",
    "rad": "rad",
    "px": "px",
    "rows": "rows",
    "counts": "counts",
}
_ABBREVIATIONS = {"na": "NA", "led": "LED", "rgb": "RGB", "psf": "PSF"}


def split_unit(name: str) -> tuple[str, str]:
    """Split a name into what is meant and its unit: `wavelength_um` into "wavelength" and "µm"."""
    for suffix, unit in _UNIT_OF_SUFFIX.items():
        if name.endswith(f"_{suffix}"):
            return name.removesuffix(f"_{suffix}"), unit
    return name, ""


def prettified(name: str) -> str:
    """Turn a name into words: `na_objective` into "NA objective"."""
    text = " ".join(_ABBREVIATIONS.get(word, word) for word in name.split("_") if word)
    return text[:1].upper() + text[1:]
