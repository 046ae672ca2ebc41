"""Structured illumination microscopy, of one plane and of a volume."""

from napari_nstm.imaging.sim.modality import Sim, Sim3d
from napari_nstm.imaging.sim.settings import Sim3dSettings, SimSettings

__all__ = ["Sim", "Sim3d", "Sim3dSettings", "SimSettings"]
