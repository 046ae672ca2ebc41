"""Large images in several sizes: napari reads the one that the screen needs, and of that what is seen."""

import json
from typing import Any

from napari_nstm.io._arrays import lazy_array
from napari_nstm.io.result import StoredResult

LARGE_PX = 2048
"""A longer side of an image is shown in several sizes, as far as the result was stored so."""


def is_large(stored: StoredResult) -> bool:
    """Whether a result is shown in several sizes."""
    return max(stored.shape[-2:]) > LARGE_PX


def stored_levels(stored: StoredResult) -> list[Any]:
    """Return the stored moments of a large result as lazy arrays (t, c, [z,] y, x), the finest first.

    Samples of a coarser one are means of blocks that begin with the field, as napari lays them out.
    """
    group = stored.path / "reconstruction"
    content = json.loads((group / "zarr.json").read_bytes())
    names = [entry["path"] for entry in content["attributes"]["ome"]["multiscales"][0]["datasets"]]
    return [stored.reconstruction, *(lazy_array(group / name) for name in names[1:])]


def rendered_steps(stored: StoredResult) -> list[tuple[float, ...]]:
    """Return the distances between samples, ([z,] y, x) in pixels, at which moments of a result are rendered.

    Samples stand where those of the finest do, which is half a sample beside the middle of a block: less than a pixel
    of the screen, as napari takes the size that the screen needs.
    """
    steps, factor = [(1.0,) * len(stored.shape)], 2
    while is_large(stored) and max(stored.shape[-2:]) > LARGE_PX * factor // 2:
        steps.append((1.0,) * (len(stored.shape) - 2) + (float(factor),) * 2)
        factor *= 2
    return steps
