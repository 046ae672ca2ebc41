"""How large tiles may be for which the memory will do: an estimate, which the plan of the tiles then makes exact."""

import math

from napari_nstm.core.errors import InputError
from napari_nstm.core.events import Prepared
from napari_nstm.core.settings import LEAST_REGION_PX
from napari_nstm.core.tiles import blend_px
from napari_nstm.imaging.tiles import block_px, reach_px
from napari_nstm.run.plan import CheckedJob

_SPARE = 0.95  # of the part that fits


def tile_that_fits(checked: CheckedJob, prepared: Prepared) -> int | None:
    """Return the largest side of a tile of the result whose fit has room, in raw pixels; None where tiles do not help.

    What is fitted for a tile reaches beyond it on every side, by the reach of the optics, the largest motion and the
    band in which neighbours are mixed.

    Parameters
    ----------
    checked
        The job.
    prepared
        What it would need: whole, or in tiles that are too large.
    """
    free = prepared.memory_free_bytes
    try:
        known = reach_px(checked.modality, checked.raw, checked.settings)
        block = block_px(checked.modality, checked.settings)
    except InputError:  # tiles mean nothing to the method
        return None
    around = checked.job.compute.tile_overlap_px
    if around is None:
        reach = 0 if known is None else sum(known)
        around = reach + blend_px(reach)
    if prepared.n_tiles:
        tile = checked.job.compute.tile_px
        if tile is None or free is None:
            return None
        fitted = (tile + 2 * around) * math.sqrt(free / prepared.memory_bytes)
    elif prepared.fits_px is not None:
        # A part as the field is shaped; tiles are square.
        fitted = math.sqrt(math.prod(prepared.fits_px))
    else:
        return None
    side = math.floor((_SPARE * fitted - 2 * around) / block) * block
    return side if side >= max(LEAST_REGION_PX, block) else None
