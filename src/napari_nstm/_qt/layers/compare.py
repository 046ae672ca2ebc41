"""One key that shows, in place of a result, what the same frames give if nothing moved, and back again."""

from typing import Any

from napari.components import ViewerModel
from napari.layers import Layer

from napari_nstm._qt.raw_layer import known_of

KEY_NAME = "B"
"""For blinking. C would be heard by napari itself: it sets the contrast of an image layer."""


def bind_comparison(viewer: ViewerModel) -> None:
    """Let the key show the one or the other in a viewer, from now on."""
    # Widgets are given a proxy of the viewer; napari calls what is bound with the viewer itself.
    viewer.bind_key(KEY_NAME, _toggle, overwrite=True)


def toggle_comparison(viewer: ViewerModel) -> bool:
    """Show the conventional reconstruction in place of the result that is shown, or the other way round.

    Of several results that of the selected layer counts, or else the topmost that is shown.

    Returns
    -------
    bool
        Whether there were such layers.
    """
    store = _store_looked_at(viewer)
    results, conventional = (_images(viewer, store, kind) for kind in ("reconstruction", "conventional"))
    both = [channel for channel in results if channel in conventional]
    shown = [channel for channel in both if results[channel].visible or conventional[channel].visible]
    for channel in shown:
        # What is seen is the result, unless it is hidden: it lies above.
        was_result = results[channel].visible
        results[channel].visible, conventional[channel].visible = not was_result, was_result
    return bool(shown)


def _toggle(viewer: ViewerModel) -> None:
    if not toggle_comparison(viewer):
        viewer.status = "There is no result with a conventional reconstruction to show."


def _store_looked_at(viewer: ViewerModel) -> Any:
    active = viewer.layers.selection.active
    layers = [layer for layer in reversed(viewer.layers) if layer.visible]
    for layer in [*([active] if active is not None else []), *layers]:
        known = known_of(layer)
        if known.get("kind") in ("reconstruction", "conventional", "comparison", "motion"):
            return known.get("store")
    return None


def _images(viewer: ViewerModel, store: Any, kind: str) -> dict[str, Layer]:
    """Return the layers of a kind by the channel they show."""
    found = {}
    for layer in viewer.layers:
        known = known_of(layer)
        if store is not None and known.get("store") == store and known.get("kind") == kind:
            found[known["channel"]] = layer
    return found
