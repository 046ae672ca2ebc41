"""What a form needs to know of each field of a settings model: read from the model alone, without Qt."""

import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as part
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from napari_nstm._qt.form.text import plain, shown
from napari_nstm.core.hints import Hint, hint_of
from napari_nstm.core.names import prettified, split_unit

Kind = Literal["number", "numbers", "bool", "choice", "text", "array", "union", "model", "yaml"]


@dataclass(frozen=True)
class FieldSpec:
    """One field, as a form sees it.

    Parameters
    ----------
    name
        Name in the model.
    label, unit
        What the user reads beside the editor.
    help
        Description, range and default, in plain text.
    kind
        Kind of editor.
    required
        Whether the model has no default.
    default
        The default as plain JSON; None where there is none.
    hint
        The field's hint.
    placeholder
        What an empty editor shows.
    choices
        (value, label) of a choice; the value None means: left out.
    editable
        Whether other values than the choices may be typed.
    scalar
        Whether one number may stand in place of a list.
    variants
        Models of a union by the value of `discriminator`, or the nested model itself under "".
    discriminator
        Name of the field that says which variant it is.
    """

    name: str
    label: str
    unit: str
    help: str
    kind: Kind
    required: bool
    default: Any
    hint: Hint
    placeholder: str = ""
    choices: tuple[tuple[Any, str], ...] = ()
    editable: bool = False
    scalar: bool = False
    variants: Mapping[str, type[BaseModel]] = part(default_factory=dict)
    discriminator: str = ""


def field_specs(model: type[BaseModel], fields: Sequence[str] | None = None) -> tuple[FieldSpec, ...]:
    """Describe the fields of a model, in the order in which they are to be shown.

    Parameters
    ----------
    model
        A pydantic model.
    fields
        Only these, in this order; default: all, in the order of the model and of the hints.
    """
    if fields is not None:
        return tuple(_spec(name, model.model_fields[name]) for name in fields)
    specs = [_spec(name, info) for name, info in model.model_fields.items()]
    return tuple(sorted(specs, key=lambda spec: spec.hint.order))


def variant_specs(variant: type[BaseModel], discriminator: str) -> tuple[FieldSpec, ...]:
    """Describe the fields of one variant of a union, without the one that says which variant it is."""
    return tuple(spec for spec in field_specs(variant) if spec.name != discriminator)


def variant_label(kind: str, variant: type[BaseModel]) -> str:
    """Return what a variant of a union is called: its model's title, or else its name."""
    return variant.model_config.get("title") or prettified(kind)


def _spec(name: str, info: FieldInfo) -> FieldSpec:
    hint = hint_of(info)
    stem, unit = split_unit(name)
    members, optional = _members(info.annotation)
    kind = _kind(members, optional, info, hint)
    default = None if info.is_required() else to_jsonable_python(info.get_default(call_default_factory=True))
    variants = _variants(members, kind, info)
    return FieldSpec(
        name=name,
        label=info.title or prettified(stem),
        unit=hint.unit or unit,
        help=_help(info, members, hint, kind, default),
        kind=kind,
        required=info.is_required(),
        default=default,
        hint=hint,
        placeholder=_placeholder(info, optional, default, hint),
        choices=_choices(members, optional, kind, hint, variants),
        editable=bool(hint.choices) and Literal not in [get_origin(member) for member in members],
        scalar=any(member in (int, float) for member in members),
        variants=variants,
        discriminator=str(info.discriminator or "") if kind == "union" else "",
    )


def _members(annotation: Any) -> tuple[tuple[Any, ...], bool]:
    """Return the types a value may have, without `Annotated`, and whether it may be None."""
    if get_origin(annotation) is Annotated:
        return _members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        found = [_members(member) for member in get_args(annotation)]
        return tuple(member for inner, _ in found for member in inner), any(none for _, none in found)
    return ((), True) if annotation is type(None) else ((annotation,), False)


def _kind(members: tuple[Any, ...], optional: bool, info: FieldInfo, hint: Hint) -> Kind:
    known: Kind | None = None
    if hint.array:
        known = "array"
    elif hint.choices or (members and all(get_origin(member) is Literal for member in members)):
        known = "choice"
    elif info.discriminator is not None and all(_is_model(member) for member in members):
        known = "union"
    elif len(members) == 1:
        known = _kind_of_one(members[0], optional)
    elif members and all(member in (int, float) for member in members):
        known = "number"
    elif members and all(member in (int, float) or _is_list_of_numbers(member) for member in members):
        known = "numbers"
    return known or "yaml"


def _kind_of_one(member: Any, optional: bool) -> Kind | None:
    if member is bool and not optional:
        return "bool"
    if member in (int, float):
        return "number"
    if member is str:
        return "text"
    if _is_list_of_numbers(member):
        return "numbers"
    return "model" if _is_model(member) and not optional else None


def _is_model(member: Any) -> bool:
    return isinstance(member, type) and issubclass(member, BaseModel)


def _is_list_of_numbers(member: Any) -> bool:
    if get_origin(member) not in (tuple, list):
        return False
    items = [item for item in get_args(member) if item is not Ellipsis]
    return bool(items) and all(set(_members(item)[0]) <= {int, float} for item in items)


def _variants(members: tuple[Any, ...], kind: Kind, info: FieldInfo) -> dict[str, type[BaseModel]]:
    if kind == "model":
        return {"": members[0]}
    if kind != "union":
        return {}
    return {
        value: member
        for member in members
        for value in get_args(member.model_fields[str(info.discriminator)].annotation)
    }


def _choices(
    members: tuple[Any, ...], optional: bool, kind: Kind, hint: Hint, variants: Mapping[str, type[BaseModel]]
) -> tuple[tuple[Any, str], ...]:
    if kind == "union":
        return tuple((value, variant_label(value, model)) for value, model in variants.items())
    if kind != "choice":
        return ()
    literals = [value for member in members if get_origin(member) is Literal for value in get_args(member)]
    values = hint.choices or literals
    labels = hint.labels if len(hint.labels) == len(values) else [prettified(str(value)) for value in values]
    none = ((None, hint.none_means or "None"),) if optional else ()
    return (*none, *zip(values, labels, strict=True))


def _placeholder(info: FieldInfo, optional: bool, default: Any, hint: Hint) -> str:
    if hint.none_means:
        return hint.none_means
    if info.examples:
        example = info.examples[0]
        return f"e.g. {example if isinstance(example, str) else shown(example)}"
    if info.is_required():
        return "required"
    if default in (None, [], {}, ""):
        return "none" if optional else ""
    return shown(default) if not isinstance(default, dict) else ""


def _help(info: FieldInfo, members: tuple[Any, ...], hint: Hint, kind: Kind, default: Any) -> str:
    parts = [info.description or ""]
    bounds = range_words([*info.metadata, *_inner_metadata(members)])
    if bounds:
        parts.append(f"Range: {bounds}.")
    if kind == "numbers":
        parts.append("Numbers are separated by commas.")
    if hint.per_frame:
        parts.append("“0, 25, ...” goes on in equal steps to the last frame.")
    if hint.none_means:
        parts.append(f"Left empty: {hint.none_means}.")
    elif kind in ("number", "numbers", "text") and default not in (None, [], ""):
        parts.append(f"Default: {shown(default)}.")
    return "\n".join(line for line in parts if line)


def _inner_metadata(members: tuple[Any, ...]) -> list[Any]:
    """Return the bounds of the items of a list."""
    items = [item for member in members for item in get_args(member) if get_origin(item) is Annotated]
    found = [extra for item in items for extra in get_args(item)[1:]]
    return [inner for extra in found for inner in (extra.metadata if isinstance(extra, FieldInfo) else [extra])]


def range_words(metadata: Sequence[Any]) -> str:
    """Say in words which numbers the bounds in pydantic's metadata admit."""
    found = {key: getattr(item, key) for key in ("gt", "ge", "lt", "le") for item in metadata if hasattr(item, key)}
    if "ge" in found and "le" in found:
        return f"{plain(found['ge'])} to {plain(found['le'])}"
    words = [
        f"{word} {plain(found[key])}"
        for key, word in (("gt", "over"), ("ge", "from"), ("lt", "under"), ("le", "up to"))
        if found.get(key) is not None
    ]
    return ", ".join(words)
