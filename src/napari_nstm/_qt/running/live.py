"""The layers of a run that goes on: made at its first pictures, updated in place, turned into its result in the end."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Layer, Vectors
from numpy.typing import NDArray

from napari_nstm._qt.layers.adding import add_unselected
from napari_nstm._qt.layers.arrows import (
    ArrowColor,
    ArrowPoints,
    arrow_colors,
    arrow_points,
    arrow_style,
    motion_at,
    vectors_in_time,
)
from napari_nstm._qt.layers.result import ResultArrays, channel_style, result_layers
from napari_nstm._qt.raw_layer import KEY, is_of_a_run, known_of, units_of
from napari_nstm._qt.solo import look_at
from napari_nstm.core.events import Preview
from napari_nstm.io.channels import brightness, is_rgb, looked_at
from napari_nstm.io.draw import contrast_limits

# Contrast follows the picture while it changes most, then stays, so that it does not flicker.
_FOLLOWED_SHARE = 0.6
_MOTION = "motion"
_LARGER = 0.2  # than the field, of its size: more than the margin of a coarse picture


class LiveLayers:
    """One Image layer for each channel and one Vectors layer, which follow the previews of one run.

    Making a layer holds up the window for a tenth of a second and more: they are made one at a time, and the result
    comes into the same layers. One that the user deletes is not made again before the result.

    Parameters
    ----------
    viewer
        Where they stand.
    name
        What the user knows the run as: it ends each layer's name.
    of_region
        Whether it reconstructs a part of the frames: they stay to be seen around it.
    first_frame
        The raw frame that it begins with, as the slider counts.
    """

    def __init__(self, viewer: ViewerModel, name: str, *, of_region: bool = False, first_frame: int = 0) -> None:
        self._viewer, self.name, self._of_region = viewer, name, of_region
        self.first_frame = first_frame
        self._made: dict[str, Layer] = {}  # by the channel's name, or `_MOTION`
        self._limits: dict[str, tuple[float, float]] = {}
        self._points: ArrowPoints | None = None
        self._made_room: NDArray[np.float64] | None = None  # size of the field that the camera looks at for it
        self._spans = False  # whether arrows that are not seen give the slider all moments: the raw image has one

    @property
    def layers(self) -> list[Layer]:
        """Those that are still there."""
        return [layer for layer in self._made.values() if layer in self._viewer.layers]

    @property
    def started(self) -> bool:
        """Whether there was a first picture."""
        return bool(self._made)

    def made(self, layer: Layer) -> bool:
        """Whether a layer is, or was, one of them."""
        return any(layer == one for one in self._made.values())  # what napari hands out may be a proxy

    def show(self, preview: Preview, share_done: float, frame_times_ms: Sequence[float]) -> None:
        """Show a preview.

        Parameters
        ----------
        preview
            The newest.
        share_done
            Share of the run's steps that are done; 0 to 1.
        frame_times_ms
            Of the run's frames, which the slider counts.
        """
        there = self.layers
        for key, layer in self._made.items():
            if layer in there:
                if key == _MOTION:
                    self._update_motion(preview, frame_times_ms)
                else:
                    self._update_image(key, preview, follow=share_done < _FOLLOWED_SHARE)
        if not self.started:
            if not self._of_region:
                self._make_room(preview)
            for index in looked_at(preview.channels):
                self._make_image(preview.channels[index], preview)
            return
        # The motion of what is looked at comes next.
        missing = next((key for key in (_MOTION, *preview.channels) if key not in self._made), None)
        if missing == _MOTION:
            self._make_motion(preview, frame_times_ms)
        elif missing is not None:
            self._make_image(missing, preview)

    def remove(self) -> Iterator[Layer]:
        """Take them away, one at a time: the run reached nothing that could be kept.

        The canvas must be drawn between two: napari 0.9 crashes where an image and arrows vanish at once.
        """
        for layer in reversed(self.layers):
            self._viewer.layers.remove(layer)
            yield layer

    def become(self, result: ResultArrays, arrow_color: ArrowColor = "direction") -> Iterator[Layer]:
        """Turn them into the result, a layer at a time, so that the window can breathe between.

        What the user changed while they watched (contrast, visibility, colour maps) is kept.

        Parameters
        ----------
        result
            What was read of it.
        arrow_color
            What the colour of its arrows tells.
        """
        found = result_layers(result, self.name, arrow_color)
        moving = [made for made in found if _is_moving(made)]
        # First what is seen, and its motion; the colours of a picture from the lowest.
        seen = looked_at([channel.name for channel in result.channels])
        order = [*seen, len(moving) - 1, *(index for index in range(len(moving) - 1) if index not in seen)]
        for data, attributes, kind in (moving[index] for index in order):
            key = _known((data, attributes, kind)).get("channel", _MOTION)
            live = self._made.get(key)
            there = live is not None and live in self._viewer.layers
            if there and attributes.get("multiscale"):
                # A layer of one image cannot become one of several sizes.
                made = self._in_place_of(live, data, attributes, follow=_is(live, self._limits.get(key)))
                self._made[key] = made
                yield made
                name = live.name
                self._viewer.layers.remove(live)
                made.name = name
                live = made
            elif there:
                self._turn(live, data, attributes, follow=_is(live, self._limits.get(key)))
                self._slice_anew()
            else:
                live = self._made[key] = Layer.create(data, attributes, kind)
                if attributes.get("blending") == "opaque":
                    self._insert_below(live)  # it would cover the other colours
                else:
                    self._viewer.add_layer(live)
            yield live
        for data, attributes, kind in (made for made in found if not _is_moving(made)):
            yield self._insert_below(Layer.create(data, attributes, kind))

    # -- inside -------------------------------------------------------------

    def _make_room(self, preview: Preview) -> None:
        """Hide images that begin where the field does and are larger: its raw image would stand around the scene."""
        size = np.multiply(preview.scene.shape[-2:], np.multiply(preview.spacing_px, preview.pixel_size_um)[-2:])
        hidden = []
        for layer in self._viewer.layers:
            if isinstance(layer, Image) and layer.visible and not is_of_a_run(layer):
                low, high = layer.extent.world[:, -2:]
                if np.all(np.abs(low) < _LARGER * size) and np.any(high - low > (1 + _LARGER) * size):
                    hidden.append(layer)
        for layer in hidden:
            layer.visible = False
        if hidden and self._viewer.dims.ndisplay == 2:
            self._made_room = size
            look_at(self._viewer, np.zeros(2), size)

    def _make_image(self, channel: str, preview: Preview) -> None:
        index = preview.channels.index(channel)
        self._limits[channel] = _limits_of(preview, index)
        layer = Image(
            np.array(preview.scene[index]),
            name=f"{channel} — {self.name}",
            contrast_limits=self._limits[channel],
            visible=index in looked_at(preview.channels),
            interpolation2d="linear",  # a coarse picture is blurred, not of large pixels
            **channel_style(preview.channels, index),
            **_placed(preview, {"channel": channel, "unit": preview.units[index]}),
        )
        self._made[channel] = layer
        if layer.visible:
            self._viewer.add_layer(layer)
        else:
            self._insert_below(layer)

    def _make_motion(self, preview: Preview, frame_times_ms: Sequence[float]) -> None:
        shape = tuple(n * s for n, s in zip(preview.scene.shape[1:], preview.spacing_px, strict=True))
        self._points = arrow_points(shape, preview.pixel_size_um)
        dims, n = self._viewer.dims, len(frame_times_ms)
        others = len(self._viewer.layers) > len(self.layers)
        self._spans = others and (dims.ndim <= len(shape) or dims.nsteps[dims.ndim - len(shape) - 1] < n)
        data, colors, stretch = self._arrows(preview, frame_times_ms, 1.0)
        axes = "t" + "zyx"[-len(shape) :]
        layer = Vectors(
            data,
            name=f"motion — {self.name}",
            edge_color=colors,
            **arrow_style(self._points, stretch),
            **{
                **_placed(preview, {"unit": "pixel", "since_ms": frame_times_ms[0]}),
                "scale": (1.0, *preview.pixel_size_um),
                "translate": (0.0, *_origin_um(preview)),
                "units": units_of(axes),
                "axis_labels": tuple(axes),
            },
        )
        self._made[_MOTION] = layer
        self._viewer.add_layer(layer)
        if self._spans:
            dims.set_point(dims.ndim - len(axes), layer.data[0, 0, 0])  # the slider is new
            if self._made_room is not None:
                look_at(self._viewer, np.zeros(2), self._made_room)  # napari looks at everything where an axis is new

    def _update_motion(self, preview: Preview, frame_times_ms: Sequence[float]) -> None:
        layer = self._made[_MOTION]
        data, colors, stretch = self._arrows(preview, frame_times_ms, layer.length)
        layer.metadata = _placed(preview, known_of(layer))["metadata"]
        layer.data = data
        layer.edge_color = colors
        if layer.length != stretch:
            layer.length = stretch

    def _update_image(self, channel: str, preview: Preview, *, follow: bool) -> None:
        layer = self._made[channel]
        index = preview.channels.index(channel)
        follow = follow and _is(layer, self._limits[channel])
        placed = _placed(preview, known_of(layer))
        layer.data = np.array(preview.scene[index])
        layer.metadata = placed["metadata"]
        if not np.allclose(layer.scale, placed["scale"]):
            layer.scale = placed["scale"]
        if follow:
            self._limits[channel] = _limits_of(preview, index)
            layer.contrast_limits = self._limits[channel]

    def _arrows(
        self, preview: Preview, frame_times_ms: Sequence[float], stretch: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
        """Return vectors at the slider's position, their colours, and by how much they are lengthened."""
        points = self._points
        u_px = motion_at(points, preview.motion_um, preview.motion_spacing_px)
        visible = points.visible(brightness(preview.scene, preview.channels), preview.spacing_px, u_px)
        first, last = frame_times_ms[0], frame_times_ms[-1]
        if preview.time_ms > first and np.any(u_px):
            # As the result will, which is judged by its longest moment: this one goes on to the last frame.
            stretch = points.stretch(u_px[:, visible] * (last - first) / (preview.time_ms - first))
        data = vectors_in_time(points, u_px[None])
        data[:, 0, 0] = self.first_frame + np.interp(preview.time_ms, frame_times_ms, np.arange(len(frame_times_ms)))
        colors = arrow_colors(u_px, visible, shortest_px=points.shortest_px(stretch))
        if self._spans:
            ends = np.zeros((2, *data.shape[1:]), data.dtype)
            ends[:, 0, 0] = self.first_frame, self.first_frame + len(frame_times_ms) - 1
            data, colors = np.concatenate([data, ends]), np.concatenate([colors, np.zeros_like(colors[:2])])
        return data, colors, stretch

    def _turn(self, layer: Layer, data: Any, attributes: Mapping[str, Any], *, follow: bool) -> None:
        layer.data = data
        names = ["scale", "translate", "units", "axis_labels", "metadata"]
        if isinstance(layer, Vectors):
            names += ["edge_color", "edge_width", "length"]
        else:
            layer.interpolation2d = "nearest"  # every pixel is there now, and shown as it is
            names += ["contrast_limits"] * follow
        for name in names:
            if name in attributes:
                setattr(layer, name, attributes[name])

    def _in_place_of(self, live: Layer, data: Any, attributes: Mapping[str, Any], *, follow: bool) -> Layer:
        """Add another layer above one, as the user has it."""
        kept = {name: getattr(live, name) for name in ("visible", "opacity", "gamma", "colormap", "blending", "name")}
        if not follow:
            kept["contrast_limits"] = live.contrast_limits
        made = Image(data, **{**attributes, **kept})
        was_active = self._viewer.layers.selection.active == live
        add_unselected(self._viewer, made, self._viewer.layers.index(live) + 1)
        if was_active:
            self._viewer.layers.selection.active = made
        return made

    def _slice_anew(self) -> None:
        """Let layers that have a time axis now show the slider's moment: napari slices when the slider moves."""
        dims = self._viewer.dims
        if dims.ndim > 2 and dims.nsteps[0] > 1:
            step = dims.current_step[0]
            dims.set_current_step(0, step - 1 if step else 1)
            dims.set_current_step(0, step)

    def _insert_below(self, layer: Layer) -> Layer:
        """Put a layer that is not shown below the others; what is selected stays so."""
        lowest = min((self._viewer.layers.index(one) for one in self.layers), default=None)
        return add_unselected(self._viewer, layer, lowest)


def _limits_of(preview: Preview, index: int) -> tuple[float, float]:
    """Choose the values shown black and white; those of colours are the same for all."""
    return contrast_limits(list(preview.scene) if is_rgb(preview.channels) else [preview.scene[index]])


def _known(made: Any) -> Mapping[str, Any]:
    """Return what a layer-to-be says of itself."""
    return made[1]["metadata"][KEY]


def _is_moving(made: Any) -> bool:
    """Whether a layer-to-be shows what the fit gave; the others are what the frames gave otherwise."""
    return _known(made)["kind"] in ("reconstruction", "motion")


def _is(layer: Layer, limits: tuple[float, float] | None) -> bool:
    """Whether the user left the contrast alone."""
    return limits is not None and bool(np.allclose(layer.contrast_limits, limits))


def _origin_um(preview: Preview) -> tuple[float, ...]:
    """Return where the picture begins: not at 0 where a region of the frames is reconstructed."""
    return preview.origin_um or (0.0,) * len(preview.spacing_px)


def _placed(preview: Preview, about: Mapping[str, Any]) -> dict[str, Any]:
    axes = "zyx"[-len(preview.spacing_px) :]
    now = {"kind": "preview", "run_id": preview.run_id, "time_ms": preview.time_ms}
    return {
        "scale": tuple(s * size for s, size in zip(preview.spacing_px, preview.pixel_size_um, strict=True)),
        "translate": _origin_um(preview),
        "units": units_of(axes),
        "axis_labels": tuple(axes),
        "metadata": {KEY: {**about, **now}},
    }
