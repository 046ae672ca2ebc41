"""Writes the tables of settings into the pages, from the models themselves: python docs/make_tables.py.

A table stands between `<!-- table: NAME -->` and `<!-- end of table -->`; a test compares the pages with what
this script would write, so that they cannot go stale.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_nstm.core.settings import ComputeSettings, FitRequest, FitSettings, Job, OutputSettings, Preset, Settings
from napari_nstm.imaging.diffusercam import presets as diffusercam_presets
from napari_nstm.imaging.diffusercam.layout import diffusercam_layout
from napari_nstm.imaging.diffusercam.prepare import exposures_per_step
from napari_nstm.imaging.diffusercam.settings import (
    ConstantBackground as KnownCounts,
)
from napari_nstm.imaging.diffusercam.settings import (
    CornerBackground,
    DiffuserCamSettings,
    FistaTv,
    StaticOnly,
)
from napari_nstm.imaging.diffusercam.settings import (
    ImageBackground as DarkImage,
)
from napari_nstm.imaging.diffusercam.shutter import rolling_shutter
from napari_nstm.imaging.diffusercam.windows import windows
from napari_nstm.imaging.dpc import presets as dpc_presets
from napari_nstm.imaging.dpc.layout import dpc_grid
from napari_nstm.imaging.dpc.settings import (
    BlurBackground,
    ConstantBackground,
    DpcSettings,
    ImageBackground,
    NoBackground,
    NormalizedBackground,
)
from napari_nstm.imaging.sim import presets as sim_presets
from napari_nstm.imaging.sim.choices import OTF_KINDS, PATTERN_KINDS, TIMING_KINDS
from napari_nstm.imaging.sim.layout import sim_layout
from napari_nstm.imaging.sim.prepare import images_per_step
from napari_nstm.imaging.sim.settings import Sim3dSettings, SimSettings
from napari_nstm.imaging.sim.simulate import simulated_settings

PAGES = Path(__file__).parent
_BLOCK = re.compile(r"(<!-- table: (?P<name>[\w-]+) -->\n).*?(<!-- end of table -->)", re.DOTALL)

_UNIT_OF_SUFFIX = {"per_um": "1/µm", "um": "µm", "ms": "ms", "deg": "°", "rad": "rad", "px": "px", "gb": "GB", "s": "s"}
_UNIT_OF_KEY = {
    "regularization_phase": "1/rad²",
    "regularization_phase_conventional": "1/rad²",
    "value": "counts",
    "psf_value": "counts",
    "row_time_us": "µs",
    "exposure_us": "µs",
    "shutter_shift_rows": "rows",
    "time_step_rows": "rows",
    "offset": "counts",
    "padding_planes": "planes",
    "times": "ms",
    "base_cells": "cells",
    "fine_cells": "cells",
}
_CAMERA_BACKGROUNDS = (CornerBackground, KnownCounts, DarkImage)
_BACKGROUNDS = (NoBackground, ConstantBackground, ImageBackground, BlurBackground, NormalizedBackground)

_WORDS = {
    "number": "number",
    "integer": "whole number",
    "string": "text",
    "boolean": "`true`, `false`",
    "object": "keys with values",
}

# What the tables of presets are for: one acquisition.
_EXAMPLE_SHAPE, _EXAMPLE_FRAMES = (256, 256), 4
_SIM_SHAPES, _SIM_FRAMES = ((256, 256), (16, 256, 256)), 15
_EXAMPLE = DpcSettings(
    pixel_size_um=0.454,
    wavelength_um=0.525,
    na_objective=0.25,
    na_illumination=0.25,
    source_angles_deg=(90, 270, 0, 180),
)
_CAMERA_SHAPE = (1, 540, 640)
_CAMERA = DiffuserCamSettings(pixel_size_um=26, psf="psf.tif", row_time_us=110.08, exposure_us=1320)
# Said in `fit` itself.
_NOT_ADVANCED = ("seed", "static")


def filled(page: str) -> str:
    """Return a page with its tables as they should be."""
    tables = all_tables()
    return _BLOCK.sub(lambda match: f"{match[1]}\n{tables[match['name']]}\n\n{match[3]}", page)


def all_tables() -> dict[str, str]:
    """Return every table by its name."""
    return {
        "dpc": settings_table(DpcSettings),
        "dpc-backgrounds": kinds_table(_BACKGROUNDS),
        "sim": settings_table(SimSettings),
        "sim-patterns": kinds_table(PATTERN_KINDS.values()),
        "sim-otfs": kinds_table(OTF_KINDS.values()),
        "sim-timings": kinds_table(TIMING_KINDS.values()),
        "sim3d": settings_table(Sim3dSettings, without=SimSettings),
        "sim-presets": sim_presets_table(),
        "diffusercam": settings_table(DiffuserCamSettings),
        "diffusercam-backgrounds": kinds_table(_CAMERA_BACKGROUNDS),
        "diffusercam-comparisons": kinds_table((StaticOnly, FistaTv)),
        "diffusercam-presets": diffusercam_presets_table(),
        "job": settings_table(Job),
        "fit": settings_table(FitRequest),
        "output": settings_table(OutputSettings),
        "compute": settings_table(ComputeSettings),
        "advanced": presets_table(),
    }


def settings_table(model: type[Settings], without: type[Settings] | None = None) -> str:
    """Return a row for each key of a model, less those of another one."""
    schema = model.model_json_schema()
    known = () if without is None else without.model_fields
    rows = []
    for key, field in schema["properties"].items():
        if key not in known:
            default = _default(model, key)
            rows.append((f"`{key}`", _unit(key), _takes(field, schema), default, field["description"]))
    return _table(("key", "unit", "takes", "default", "meaning"), rows)


def kinds_table(kinds: Iterable[type[Settings]]) -> str:
    """Return a row for each kind of something, and for each key that it takes."""
    rows = []
    for model in kinds:
        schema = model.model_json_schema()
        properties = dict(schema["properties"])
        kind = properties.pop("kind")
        rows.append((f"`kind: {kind['const']}`", "", "", "", kind["description"]))
        for key, field in properties.items():
            rows.append((f"`{key}`", _unit(key), _takes(field, schema), _default(model, key), field["description"]))
    return _table(("key", "unit", "takes", "default", "meaning"), rows)


def presets_table() -> str:
    """Return a row for each value of a preset, with what DPC's presets give it."""
    presets = [_dpc_preset(name) for name in ("fast", "paper")]
    schema = FitSettings.model_json_schema()
    rows = _preset_rows(schema, schema, presets, "", skip=_NOT_ADVANCED)
    return _table(("key", "takes", "`fast`", "`paper`", "meaning"), rows)


def _dpc_preset(name: Preset) -> Mapping[str, Any]:
    make = {"fast": dpc_presets.fast, "paper": dpc_presets.paper}[name]
    grid = dpc_grid(_EXAMPLE_SHAPE, _EXAMPLE)
    return make(grid, _EXAMPLE_FRAMES, _EXAMPLE_FRAMES).model_dump(mode="json")


def _sim_preset(name: Preset, shape: tuple[int, ...]) -> Mapping[str, Any]:
    make = {"fast": sim_presets.fast, "paper": sim_presets.paper}[name]
    layout = sim_layout(shape, simulated_settings(shape[0] if len(shape) == 3 else None))
    n_batches = _SIM_FRAMES // images_per_step(layout, _SIM_FRAMES)
    return make(layout, 1, n_batches).model_dump(mode="json")


def _diffusercam_preset(name: Preset) -> Mapping[str, Any]:
    make = {"fast": diffusercam_presets.fast, "paper": diffusercam_presets.paper}[name]
    layout, shutter = diffusercam_layout(_CAMERA_SHAPE, _CAMERA), rolling_shutter(_CAMERA_SHAPE[1], _CAMERA)
    n_windows = windows(shutter, exposures_per_step(layout, shutter)).n_windows
    return make(layout, n_windows).model_dump(mode="json")


def sim_presets_table() -> str:
    """Return a row for each value in which one of SIM's presets differs from DPC's of the same name."""
    kinds: list[tuple[Preset, tuple[int, ...]]] = [(name, shape) for shape in _SIM_SHAPES for name in ("fast", "paper")]
    titles = [f"`{modality}`, `{name}`" for modality in ("sim", "sim3d") for name in ("fast", "paper")]
    others = [_dpc_preset(name) for name, _ in kinds]
    return _differences(titles, [_sim_preset(name, shape) for name, shape in kinds], others)


def diffusercam_presets_table() -> str:
    """Return a row for each value in which one of DiffuserCam's presets differs from DPC's of the same name."""
    names: tuple[Preset, Preset] = ("fast", "paper")
    titles = [f"`{name}`" for name in names]
    return _differences(titles, [_diffusercam_preset(n) for n in names], [_dpc_preset(n) for n in names])


def _differences(
    titles: Sequence[str], presets: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]]
) -> str:
    schema = FitSettings.model_json_schema()
    rows = zip(
        _preset_rows(schema, schema, presets, "", skip=_NOT_ADVANCED),
        _preset_rows(schema, schema, others, "", skip=_NOT_ADVANCED),
        strict=True,
    )
    return _table(("key", *titles), [(row[0], *row[2:-1]) for row, other in rows if row[2:-1] != other[2:-1]])


def _preset_rows(
    model: Mapping[str, Any],
    schema: Mapping[str, Any],
    presets: Sequence[Mapping[str, Any]],
    before: str,
    skip: Sequence[str] = (),
) -> Iterable[tuple[str, ...]]:
    for key, field in model["properties"].items():
        if key in skip:
            continue
        values = [preset[key] for preset in presets]
        if isinstance(values[0], Mapping):
            yield (f"`{key}`", "the keys below", *("" for _ in values), field["description"])
            yield from _preset_rows(_resolved(field, schema), schema, values, f"{key}: ")
        else:
            yield (f"`{before}{key}`", _takes(field, schema), *(_value(v) for v in values), field["description"])


def _resolved(field: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in field:
        return field
    found: Mapping[str, Any] = schema["$defs"][field["$ref"].rpartition("/")[2]]
    return found


def _unit(key: str) -> str:
    suffixes = (unit for suffix, unit in _UNIT_OF_SUFFIX.items() if key.endswith(f"_{suffix}"))
    return _UNIT_OF_KEY.get(key) or next(suffixes, "")


def _takes(field: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """Say in words what values a field of a JSON schema admits; that it may be left out is said by its default."""
    field = _resolved(field, schema)
    if "anyOf" in field:
        parts = [_takes(part, schema) for part in field["anyOf"] if part.get("type") != "null"]
        return " or ".join(dict.fromkeys(parts))
    if "oneOf" in field:
        return "one of the kinds below"
    if "const" in field or "enum" in field:
        choices = [field["const"]] if "const" in field else field["enum"]
        return ", ".join(f"`{choice}`" for choice in choices)
    if field["type"] == "array":
        return _list(field, schema)
    if "properties" in field:
        return "the keys below"
    return _WORDS[field["type"]] + _bounds(field)


def _list(field: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if "prefixItems" in field:
        return "[" + ", ".join(_takes(item, schema) for item in field["prefixItems"]) + "]"
    inner = _takes(field["items"], schema)
    many = re.sub(r"^(whole )?number", r"\1numbers", inner)
    return f"list of {many}"


def _bounds(field: Mapping[str, Any]) -> str:
    low, over = field.get("minimum"), field.get("exclusiveMinimum")
    high, under = field.get("maximum"), field.get("exclusiveMaximum")
    if low is not None and high is not None:
        return f", {low:g} to {_number(high)}"
    words = [
        *([f"from {low:g}"] if low is not None else []),
        *([f"over {over:g}"] if over is not None else []),
        *([f"up to {_number(high)}"] if high is not None else []),
        *([f"under {_number(under)}"] if under is not None else []),
    ]
    return ", " + ", ".join(words) if words else ""


def _number(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:g}"


def _default(model: type[Settings], key: str) -> str:
    field = model.model_fields[key]
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    kind = getattr(value, "kind", None)
    if kind is not None:
        return f"`{{kind: {kind}}}`"
    # Any other part that may be left out has its own defaults.
    return "" if isinstance(value, Settings) else _value(value)


def _value(value: Any) -> str:
    if value is None or value in ([], (), {}):
        return "none"
    if value == "":
        return "empty"
    return f"`{_plain(value)}`"


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(_plain(item) for item in value) + "]"
    if isinstance(value, float):
        return f"{value:.4g}".replace("e-0", "e-")
    return str(value)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    kept = list(rows)
    shown = [i for i in range(len(head)) if any(row[i] for row in kept)]
    lines = [[head[i] for i in shown], ["---"] * len(shown)]
    lines += [[row[i].replace("|", "\\|") for i in shown] for row in kept]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    """Rewrite the tables of every page."""
    for path in sorted(PAGES.glob("*.md")):
        page = path.read_text(encoding="utf-8")
        new = filled(page)
        if new != page:
            path.write_text(new, encoding="utf-8")
            print(f"{path.name} was changed.")


if __name__ == "__main__":
    main()
