"""Keys that show, in place of a result, what the same frames give otherwise, and back again."""

from typing import Any

from napari.components import ViewerModel
from napari.layers import Layer

from napari_nstm._qt.raw_layer import known_of

KEY_NAME = "B"
"""For blinking. C would be heard by napari itself: it sets the contrast of an image layer."""
NEXT_KEY_NAME = "Shift-B"
"""For all there is to compare with, one after another."""

_RESULT = "reconstruction"


def bind_comparison(viewer: ViewerModel) -> None:
    """Let the keys show the one or the other in a viewer, from now on."""
    # Widgets are given a proxy of the viewer; napari calls what is bound with the viewer itself.
    viewer.bind_key(KEY_NAME, _toggle, overwrite=True)
    viewer.bind_key(NEXT_KEY_NAME, _next, overwrite=True)


def toggle_comparison(viewer: ViewerModel) -> bool:
    """Show the conventional reconstruction in place of the result that is shown, or the other way round.

    Of several results that of the selected layer counts, or else the topmost that is shown.

    Returns
    -------
    bool
        Whether there were such layers.
    """
    versions = _versions(viewer)
    if "conventional" not in versions:
        return False
    return _show(versions, "conventional" if _shown(versions) == _RESULT else _RESULT)


def next_comparison(viewer: ViewerModel) -> str | None:
    """Show the next of the result, its conventional reconstruction and whatever else its frames gave.

    Returns
    -------
    str or None
        What is shown now; None where there is nothing to choose from.
    """
    versions = _versions(viewer)
    if len(versions) < 2:
        return None
    names = list(versions)
    following = names[(names.index(_shown(versions)) + 1) % len(names)]
    return following if _show(versions, following) else None


def _toggle(viewer: ViewerModel) -> None:
    if not toggle_comparison(viewer):
        viewer.status = "There is no result with a conventional reconstruction to show."


def _next(viewer: ViewerModel) -> None:
    shown = next_comparison(viewer)
    viewer.status = "There is no result to compare with anything." if shown is None else f"Shown: {shown}."


def _versions(viewer: ViewerModel) -> dict[str, dict[str, Layer]]:
    """Return the images of the result that is looked at: by what they are, and by the channel they show."""
    store = _store_looked_at(viewer)
    found: dict[str, dict[str, Layer]] = {_RESULT: {}, "conventional": {}}
    for layer in viewer.layers if store is not None else ():
        known = known_of(layer)
        if known.get("store") == store and known.get("kind") in (_RESULT, "conventional", "comparison"):
            found.setdefault(known.get("comparison", _RESULT), {})[known["channel"]] = layer
    return {name: layers for name, layers in found.items() if layers} if found[_RESULT] else {}


def _shown(versions: dict[str, dict[str, Layer]]) -> str:
    """Return which version is seen: the result lies above the others."""
    return next((name for name, layers in versions.items() if any(one.visible for one in layers.values())), _RESULT)


def _show(versions: dict[str, dict[str, Layer]], name: str) -> bool:
    """Show one version, of the channels that are shown of any; returns whether that can be seen."""
    channels = {channel for layers in versions.values() for channel, layer in layers.items() if layer.visible}
    shown = [channel for channel in channels if channel in versions[name]]
    for channel in shown:
        for other, layers in versions.items():
            if channel in layers:
                layers[channel].visible = other == name
    return bool(shown)


def _store_looked_at(viewer: ViewerModel) -> Any:
    active = viewer.layers.selection.active
    layers = [layer for layer in reversed(viewer.layers) if layer.visible]
    for layer in [*([active] if active is not None else []), *layers]:
        known = known_of(layer)
        if known.get("kind") in ("reconstruction", "conventional", "comparison", "motion"):
            return known.get("store")
    return None
