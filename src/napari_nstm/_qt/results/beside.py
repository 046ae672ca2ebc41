"""Runs beside each other: each in a cell of napari's grid, all looked at from the same place."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer

from napari_nstm._qt.layers.runs import RunLayers, in_cells
from napari_nstm._qt.raw_layer import known_of

_SPACING_PX = 4
_SCENES = ("reconstruction", "conventional", "comparison")


class Beside:
    """Puts the runs that are shown beside each other, and back.

    Parameters
    ----------
    viewer
        Whose layers they are; not a proxy of it.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._before: dict[str, Any] = {}
        self._order: list[Layer] = []
        self._hidden: list[Layer] = []
        self._named: list[Layer] = []

    @property
    def on(self) -> bool:
        """Whether they stand beside each other."""
        return bool(self._before)

    def enter(self, runs: Sequence[RunLayers]) -> None:
        """Put the runs into cells, from the oldest to the newest; what is not of a run is hidden meanwhile."""
        viewer, grid = self._viewer, self._viewer.canvas.grid
        camera = viewer.scene.camera
        self._before = {
            "center": camera.center,
            "zoom": camera.zoom,
            "grid": {name: getattr(grid, name) for name in ("shape", "spacing", "stride", "enabled")},
        }
        self._order = list(viewer.layers)
        of_runs = {id(layer) for run in runs for layer in run.layers}
        self._hidden = [layer for layer in viewer.layers if layer.visible and id(layer) not in of_runs]
        for layer in self._hidden:
            layer.visible = False
        self.arrange(runs)
        grid.shape, grid.spacing = (-1, -1), _SPACING_PX
        grid.enabled = True
        viewer.reset_view()
        self._come_nearer([layer for run in runs for layer in run.shown])

    def arrange(self, runs: Sequence[RunLayers]) -> None:
        """Keep each run in its cell, after layers came, went, or were shown or hidden."""
        viewer = self._viewer
        layers = list(viewer.layers)
        of_runs = {id(layer) for run in runs for layer in run.layers}
        others = [layer for layer in layers if id(layer) not in of_runs]
        shown = [layer for layer in layers if layer.visible]
        order, per_cell = in_cells([run.layers for run in runs], others, shown)
        self._put_in_order(order)
        if viewer.canvas.grid.stride != per_cell:
            viewer.canvas.grid.stride = per_cell
        self._name([run.shown for run in runs if run.shown])

    def leave(self) -> None:
        """Put them on top of each other again, in the order and with the camera as before."""
        viewer, before = self._viewer, self._before
        self._before = {}
        self._name([])
        for name, value in before["grid"].items():
            setattr(viewer.canvas.grid, name, value)
        there = {id(layer) for layer in viewer.layers}
        known = {id(layer) for layer in self._order}
        self._put_in_order(
            [
                *(layer for layer in self._order if id(layer) in there),
                *(layer for layer in viewer.layers if id(layer) not in known),
            ]
        )
        for layer in self._hidden:
            if id(layer) in there:
                layer.visible = True
        viewer.scene.camera.center = before["center"]
        viewer.scene.camera.zoom = before["zoom"]
        self._order, self._hidden = [], []

    def forget(self, layers: Sequence[Layer]) -> None:
        """Take the names off layers that are about to vanish: napari 0.9 crashes where both go between two draws."""
        for layer in layers:
            if layer in self._named:
                layer.name_overlay.visible = False
                self._named.remove(layer)

    # -- inside -------------------------------------------------------------

    def _put_in_order(self, order: Sequence[Layer]) -> None:
        # One by one: napari 0.9 loses count where `move_multiple` is given all layers.
        layers = self._viewer.layers
        for place, layer in enumerate(order):
            if layers[place] is not layer:
                layers.move(layers.index(layer), place)

    def _come_nearer(self, layers: Sequence[Layer]) -> None:
        """Let what is shown fill its cell: napari looks at the extent of hidden layers too."""
        viewer = self._viewer
        if viewer.dims.ndisplay == 3 or not layers:
            return
        corners = np.stack([layer.extent.world[:, -2:] for layer in layers])
        low, high = np.nanmin(corners[:, 0], axis=0), np.nanmax(corners[:, 1], axis=0)  # NaN: of a layer without arrows
        whole = np.ptp(viewer.layers.extent.world[:, -2:], axis=0)
        viewer.scene.camera.center = (0.0, *((low + high) / 2))
        viewer.scene.camera.zoom *= float(np.min(whole / (high - low)))

    def _name(self, cells: Sequence[Sequence[Layer]]) -> None:
        """Write into each cell which run it is: the name of the topmost image of its scene."""
        named = []
        for layers in cells:
            scenes = [layer for layer in layers if known_of(layer).get("kind") in _SCENES]
            named.append((scenes or list(layers))[-1])
        for layer in self._named:
            if layer not in named and layer in self._viewer.layers:
                layer.name_overlay.visible = False
        for layer in named:
            if layer not in self._named:
                layer.name_overlay.box = layer.name_overlay.visible = True
        self._named = named
