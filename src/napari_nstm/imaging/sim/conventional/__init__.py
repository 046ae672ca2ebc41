"""The conventional SIM reconstruction: bands, separated and put together as if nothing moved."""

from napari_nstm.imaging.sim.conventional.series import light_of, widefield_series, wiener_series, windows
from napari_nstm.imaging.sim.conventional.shifted import support
from napari_nstm.imaging.sim.conventional.wiener import fine_noise_ratio, widefield, wiener

__all__ = [
    "fine_noise_ratio",
    "light_of",
    "support",
    "widefield",
    "widefield_series",
    "wiener",
    "wiener_series",
    "windows",
]
