"""The layers of a run that goes on: made at its first picture, updated in place, replaced by its result."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Layer, Vectors

from napari_nstm._qt.layers.arrows import ArrowPoints, arrow_colors, arrow_points, arrow_style, motion_at, vectors
from napari_nstm._qt.layers.result import ResultArrays, result_layers
from napari_nstm._qt.raw_layer import KEY, units_of
from napari_nstm.core.events import Preview
from napari_nstm.io.draw import contrast_limits

# Contrast follows the picture while it changes most, then stays, so that it does not flicker.
_FOLLOWED_SHARE = 0.6


@dataclass
class _Channel:
    layer: Image
    limits: tuple[float, float]

    @property
    def limits_are_ours(self) -> bool:
        """Whether the user left the contrast alone."""
        return bool(np.allclose(self.layer.contrast_limits, self.limits))


class LiveLayers:
    """One Image layer for each channel and one Vectors layer, which follow the previews of one run.

    A layer that the user deletes is not made again before the result.

    Parameters
    ----------
    viewer
        Where they stand.
    name
        What the user knows the run as: it ends each layer's name.
    """

    def __init__(self, viewer: ViewerModel, name: str) -> None:
        self._viewer, self.name = viewer, name
        self._channels: list[_Channel] = []
        self._vectors: Vectors | None = None
        self._points: ArrowPoints | None = None

    @property
    def layers(self) -> list[Layer]:
        """Those that are still there."""
        made = [*(channel.layer for channel in self._channels), self._vectors]
        return [layer for layer in made if layer is not None and layer in self._viewer.layers]

    @property
    def started(self) -> bool:
        """Whether there was a first picture."""
        return bool(self._channels)

    def made(self, layer: Layer) -> bool:
        """Whether a layer is, or was, one of them."""
        return layer is self._vectors or any(channel.layer is layer for channel in self._channels)

    def show(self, preview: Preview, share_done: float) -> None:
        """Show a preview.

        Parameters
        ----------
        preview
            The newest.
        share_done
            Share of the run's steps that are done; 0 to 1.
        """
        if self._channels:
            self._update(preview, follow=share_done < _FOLLOWED_SHARE)
        else:
            self._make(preview)

    def remove(self) -> None:
        """Take them away: the run reached nothing that could be kept."""
        for layer in self.layers:
            self._viewer.layers.remove(layer)

    def replace_by(self, result: ResultArrays) -> list[Layer]:
        """Put the layers of the result in their place.

        What the user changed on them while they watched (contrast, visibility, colours) is kept.
        """
        kept = {layer.name: _looks(layer) for layer in self.layers}
        followed = {c.layer.name for c in self._channels if c.limits_are_ours}
        made = []
        with _view_kept(self._viewer):
            self.remove()
            for data, attributes, kind in result_layers(result, self.name):
                looks = kept.get(attributes["name"], {})
                if attributes["name"] in followed:
                    looks.pop("contrast_limits", None)
                layer = Layer.create(data, {**attributes, **looks}, kind)
                made.append(self._viewer.add_layer(layer))
        return made

    # -- inside -------------------------------------------------------------

    def _make(self, preview: Preview) -> None:
        last = len(preview.channels) - 1
        for index, (channel, unit) in enumerate(zip(preview.channels, preview.units, strict=True)):
            picture = np.array(preview.scene[index])
            limits = contrast_limits([picture])
            layer = Image(
                picture,
                name=f"{channel} — {self.name}",
                colormap="gray",
                contrast_limits=limits,
                visible=index == last,
                interpolation2d="linear",  # a coarse picture is blurred, not of large pixels
                **_placed(preview, preview.spacing_px, {"kind": "preview", "channel": channel, "unit": unit}),
            )
            self._channels.append(_Channel(self._viewer.add_layer(layer), limits))
        shape = tuple(n * s for n, s in zip(preview.scene.shape[1:], preview.spacing_px, strict=True))
        self._points = arrow_points(shape, preview.pixel_size_um)
        data, colors = self._arrows(preview)
        self._vectors = Vectors(
            data,
            name=f"motion — {self.name}",
            edge_color=colors,
            **arrow_style(self._points, 1.0),
            **_placed(preview, (1,) * len(shape), {"kind": "preview", "unit": "pixel"}),
        )
        self._viewer.add_layer(self._vectors)

    def _update(self, preview: Preview, *, follow: bool) -> None:
        there = self.layers
        for index, channel in enumerate(self._channels):
            if channel.layer in there:
                self._update_channel(channel, np.array(preview.scene[index]), preview, follow=follow)
        if self._vectors in there:
            data, colors = self._arrows(preview)
            self._vectors.data = data
            self._vectors.edge_color = colors

    def _update_channel(self, channel: _Channel, picture: Any, preview: Preview, *, follow: bool) -> None:
        layer = channel.layer
        follows = follow and channel.limits_are_ours
        layer.data = picture
        layer.metadata = {KEY: {**layer.metadata[KEY], "time_ms": preview.time_ms}}
        scale = tuple(s * size for s, size in zip(preview.spacing_px, preview.pixel_size_um, strict=True))
        if not np.allclose(layer.scale, scale):
            layer.scale = scale
        if follows:
            channel.limits = contrast_limits([picture])
            layer.contrast_limits = channel.limits

    def _arrows(self, preview: Preview) -> tuple[Any, Any]:
        points = self._points
        u_px = motion_at(points, preview.motion_um, preview.motion_spacing_px)
        visible = points.visible(np.asarray(preview.scene[-1]), preview.spacing_px, u_px)
        return vectors(points, u_px), arrow_colors(u_px, visible, shortest_px=points.shortest_px(1.0))


def _placed(preview: Preview, spacing_px: tuple[int, ...], known: Mapping[str, Any]) -> dict[str, Any]:
    axes = "zyx"[-len(spacing_px) :]
    return {
        "scale": tuple(s * size for s, size in zip(spacing_px, preview.pixel_size_um, strict=True)),
        "units": units_of(axes),
        "axis_labels": tuple(axes),
        "metadata": {KEY: {**known, "run_id": preview.run_id, "time_ms": preview.time_ms}},
    }


def _looks(layer: Layer) -> dict[str, Any]:
    looks: dict[str, Any] = {"visible": layer.visible, "opacity": layer.opacity}
    if isinstance(layer, Image):
        looks |= {"colormap": layer.colormap, "contrast_limits": tuple(layer.contrast_limits), "gamma": layer.gamma}
    return looks


@contextmanager
def _view_kept(viewer: ViewerModel) -> Iterator[None]:
    """Keep camera and slider where they are while layers are replaced."""
    camera, step = viewer.scene.camera, viewer.dims.current_step
    center, zoom = camera.center, camera.zoom
    yield
    camera.center, camera.zoom = center, zoom
    if len(step) == viewer.dims.ndim:
        viewer.dims.current_step = step
