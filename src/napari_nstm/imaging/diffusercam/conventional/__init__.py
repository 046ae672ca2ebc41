"""Reconstruction in other ways: static deconvolution, and the original method, FISTA with total variation."""

from napari_nstm.imaging.diffusercam.conventional.movie import fista_tv_movie, static_image

__all__ = ["fista_tv_movie", "static_image"]
