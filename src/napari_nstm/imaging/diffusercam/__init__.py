"""Rolling-shutter DiffuserCam: a movie from one raw image of a lensless camera."""

from napari_nstm.imaging.diffusercam.modality import DiffuserCam
from napari_nstm.imaging.diffusercam.settings import DiffuserCamSettings

__all__ = ["DiffuserCam", "DiffuserCamSettings"]
