"""A viewer as the stage of a movie: its slider and camera are moved, pictures taken, and all is put back."""

import numpy as np
from napari import Viewer
from numpy.typing import NDArray

from napari_nstm._qt.movies.canvas_moves import Take, turned


class Stage:
    """Slider and camera of a viewer, and where they stood.

    Parameters
    ----------
    viewer
        The viewer.
    axis
        Of the slider that moves; None: none does.
    width_px
        Of the pictures; None: the canvas'.
    """

    def __init__(self, viewer: Viewer, axis: int | None, width_px: int | None) -> None:
        self._viewer, self._axis, self._width_px = viewer, axis, width_px
        self._size: tuple[int, int] | None = None  # (row, column) of all pictures
        self._zoom_factor = 1.0
        dims, camera = viewer.dims, viewer.scene.camera
        self._before = (dims.ndisplay, camera.center, camera.zoom, camera.angles)
        self._point = None if axis is None else dims.point[axis]
        self._remember_camera()

    def look_in_3d(self) -> bool:
        """Show depth; returns whether that is new."""
        if self._viewer.dims.ndisplay == 3:
            return False
        self._viewer.dims.ndisplay = 3
        self._remember_camera()  # napari looks at the whole of it
        return True

    def picture(self, take: Take) -> NDArray[np.uint8]:
        """Take a picture: (row, column, rgba)."""
        if take.point is not None and self._axis is not None:
            self._viewer.dims.set_point(self._axis, take.point)
        camera = self._viewer.scene.camera
        if take.turn_rad:
            camera.set_view_direction(*turned(*self._directions, take.turn_rad))
        else:
            camera.angles = self._angles
        camera.center, camera.zoom = self._center, self._zoom
        if self._size is None:
            taken = self._taken(None)
            rows, columns = taken.shape[:2]
            if self._width_px is None or self._width_px == columns:
                self._size = (rows, columns)
                return taken
            self._zoom_factor = self._width_px / columns
            self._size = (2 * max(1, round(rows * self._zoom_factor / 2)), self._width_px)  # even, as a video takes it
        if self._zoom_factor == 1:
            taken = self._taken(None)
            if taken.shape[:2] == self._size:
                return taken  # the canvas has its size still, and need not be given it
        camera.zoom = self._zoom * self._zoom_factor
        taken = self._taken(self._size)
        camera.zoom = self._zoom
        return taken

    def put_back(self) -> None:
        """Leave slider and camera as they were."""
        dims, camera = self._viewer.dims, self._viewer.scene.camera
        ndisplay, center, zoom, angles = self._before
        dims.ndisplay = ndisplay
        camera.center, camera.zoom, camera.angles = center, zoom, angles
        if self._axis is not None and self._axis < dims.ndim:
            dims.set_point(self._axis, self._point)

    def _remember_camera(self) -> None:
        camera = self._viewer.scene.camera
        self._center, self._zoom, self._angles = camera.center, camera.zoom, camera.angles
        self._directions = camera.view_direction, camera.up_direction

    def _taken(self, size: tuple[int, int] | None) -> NDArray[np.uint8]:
        return np.asarray(self._viewer.screenshot(size=size, canvas_only=True, flash=False))
