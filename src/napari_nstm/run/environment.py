"""What a run runs with."""

from __future__ import annotations

import platform
from importlib.metadata import version

_PACKAGES = ("napari-nstm", "jax", "jaxlib", "flax", "optax", "numpy", "scipy")


def versions() -> dict[str, str]:
    """Return the versions that decide a result's bits."""
    return {name: version(name) for name in _PACKAGES} | {"python": platform.python_version()}
