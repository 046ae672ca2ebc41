"""Differential phase contrast."""

from napari_nstm.imaging.dpc.modality import Dpc
from napari_nstm.imaging.dpc.settings import DpcSettings

__all__ = ["Dpc", "DpcSettings"]
