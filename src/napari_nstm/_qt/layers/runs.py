"""Whose layers are whose: those of a viewer by the run that gave them, and which of a run are looked at."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari.layers import Layer

from napari_nstm._qt.raw_layer import known_of
from napari_nstm.io.channels import looked_at

SEPARATOR = " — "
"""Between what a layer shows and the run it is of."""


@dataclass
class RunLayers:
    """The layers of one run.

    Parameters
    ----------
    store
        Folder of its result; None: it goes on.
    name
        What the user knows it as.
    layers
        From the lowest to the topmost.
    job
        What was asked for, as plain JSON; empty where nobody said.
    created, updated
        When it began and when its store was last written, ISO 8601; empty while it goes on.
    """

    store: Path | None
    name: str
    layers: list[Layer] = field(default_factory=list)
    job: Mapping[str, Any] = field(default_factory=dict)
    created: str = ""
    updated: str = ""

    @property
    def shown(self) -> list[Layer]:
        """Those that are visible."""
        return [layer for layer in self.layers if layer.visible]

    def looked_at(self) -> list[Layer]:
        """Return what of the run is shown at first: its last channel, or its colours, and its motion."""
        scenes = [layer for layer in self.layers if known_of(layer).get("kind") in ("reconstruction", "preview")]
        images = [layer for layer in scenes if "channel" in known_of(layer)]
        names = [known_of(layer)["channel"] for layer in images]
        first = [images[index] for index in looked_at(names)] if images else []
        motion = [layer for layer in self.layers if layer in scenes and layer not in images]
        return [*first, *motion, *(layer for layer in self.layers if known_of(layer).get("kind") == "motion")]


def runs_of(layers: Iterable[Layer]) -> list[RunLayers]:
    """Return the runs whose layers are there, those with a result from the oldest to the newest, then one that goes on.

    Parameters
    ----------
    layers
        Of a viewer, not its proxy: they are compared by identity.
    """
    stored: dict[str, RunLayers] = {}
    ids: dict[Any, RunLayers] = {}
    live: list[Layer] = []
    for layer in layers:
        known = known_of(layer)
        if known.get("store"):
            run = stored.setdefault(known["store"], RunLayers(Path(known["store"]), run_name(layer)))
            run.layers.append(layer)
            record = known.get("record")
            if isinstance(record, Mapping):
                run.job, run.created, run.updated = record["job"], record["created"], record["updated"]
                ids[record["run_id"]] = run
        elif known.get("kind") == "preview":
            live.append(layer)
    goes_on: dict[Any, RunLayers] = {}
    for layer in live:
        # While a result comes into the layers of its run, some of them are still pictures of it going on.
        run_id = known_of(layer).get("run_id")
        run = ids.get(run_id) or goes_on.setdefault(run_id, RunLayers(None, run_name(layer)))
        run.layers.append(layer)
    return [*sorted(stored.values(), key=lambda run: (run.created, str(run.store))), *goes_on.values()]


def run_name(layer: Layer) -> str:
    """Return what the user knows a layer's run as."""
    return layer.name.partition(SEPARATOR)[2] or layer.name


def in_cells(
    runs: Sequence[Sequence[Layer]], others: Sequence[Layer], shown: Iterable[Layer]
) -> tuple[list[Layer], int]:
    """Order layers so that napari's grid puts each run into a cell of its own.

    The grid fills cells with as many layers each, counted from the lowest, and leaves out cells in which nothing is
    visible: hidden layers fill up the cells of runs that show fewer than others.

    Parameters
    ----------
    runs
        Layers of each run, from the lowest to the topmost.
    others
        All other layers.
    shown
        Those that are visible.

    Returns
    -------
    order, per_cell
        All layers from the lowest to the topmost, and how many a cell takes.
    """
    visible = {id(layer) for layer in shown}
    seen = [[layer for layer in run if id(layer) in visible] for run in runs]
    seen = [layers for layers in seen if layers]
    hidden = [layer for run in runs for layer in run if id(layer) not in visible]
    hidden += [layer for layer in others if id(layer) not in visible]
    per_cell = max(map(len, seen), default=1)
    order: list[Layer] = []
    for layers in seen:
        n_missing = per_cell - len(layers)
        order += [*hidden[:n_missing], *layers]
        hidden = hidden[n_missing:]
    return [*order, *hidden, *(layer for layer in others if id(layer) in visible)], per_cell
