"""The rows of one model; nested models and unions hold sections of their own."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_nstm._qt.form.collapsible import Collapsible
from napari_nstm._qt.form.fields import FieldSpec, field_specs, variant_specs
from napari_nstm._qt.form.row import Row
from napari_nstm._qt.heading import heading

_GAP = 7


class Section(QWidget):
    """Rows, one below the other, with the advanced ones in a group that is closed at first.

    Parameters
    ----------
    specs
        The fields.
    before
        Dotted name of what the fields belong to; empty for the form itself.
    parent
        Owner in Qt's sense.
    """

    changed = Signal()

    def __init__(self, specs: Sequence[FieldSpec], before: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.specs = {spec.name: spec for spec in specs}
        self.parts: dict[str, Row | Variants | Group] = {}
        self._shown: dict[str, bool] = {}
        self._advanced: Collapsible | None = None
        layout = _column(self)
        for spec in (spec for spec in specs if spec.hint.group != "advanced"):
            layout.addWidget(self._make(spec, before))
        advanced = [spec for spec in specs if spec.hint.group == "advanced"]
        if advanced:
            inner = QWidget(self)
            rows = _column(inner)
            for spec in advanced:
                rows.addWidget(self._make(spec, before))
            self._advanced = Collapsible("Advanced", inner, self)
            layout.addWidget(self._advanced)
        self._show_what_applies()

    def content(self) -> dict[str, Any]:
        """Return the values of what applies, without what was left empty."""
        values = {name: part.value() for name, part in self.parts.items() if self._shown[name]}
        return {name: values[name] for name in self.specs if values.get(name) is not None}

    def set_content(self, content: Mapping[str, Any]) -> None:
        """Show values; what is not among them gets its default."""
        for name, part in self.parts.items():
            if name in content:
                part.set_value(content[name])
            else:
                part.reset()
        self._show_what_applies()

    def rows(self, all_of_them: bool = False) -> Iterator[Row]:
        """Yield the rows of what applies, or all, from top to bottom."""
        for name, part in self.parts.items():
            if all_of_them or self._shown[name]:
                yield from part.rows(all_of_them) if isinstance(part, Variants | Group) else part.rows()

    def open_to(self, row: Row) -> None:
        """Open the group that a row is in."""
        for name, part in self.parts.items():
            if row in part.rows():
                if self._advanced is not None and self.specs[name].hint.group == "advanced":
                    self._advanced.set_open()
                part.open_to(row)

    def insert_below(self, fields: Sequence[str], widget: QWidget) -> None:
        """Put a widget below the last of some fields; below all but the advanced ones where there are none."""
        layout = self.layout()
        places = [layout.indexOf(self.parts[name]) for name in fields if name in self.parts]
        below = max(places, default=-1)
        if below < 0:
            below = layout.count() - 1 - (self._advanced is not None)
        layout.insertWidget(below + 1, widget)

    def _make(self, spec: FieldSpec, before: str) -> "Row | Variants | Group":
        dotted = f"{before}.{spec.name}" if before else spec.name
        make = {"union": Variants, "model": Group}.get(spec.kind, Row)
        part = make(spec, dotted, self)
        part.changed.connect(self._on_changed)
        self.parts[spec.name] = part
        self._shown[spec.name] = True
        return part

    def _show_what_applies(self) -> None:
        for name, part in self.parts.items():
            when = self.specs[name].hint.when
            if when is not None and when[0] in self.parts:
                self._shown[name] = self.parts[when[0]].value() == when[1]
                part.setVisible(self._shown[name])

    def _on_changed(self) -> None:
        self._show_what_applies()
        self.changed.emit()


class Variants(QWidget):
    """A choice between models, with the rows of the chosen one below.

    Parameters
    ----------
    spec
        The field: a discriminated union.
    dotted
        Its name from the top of the form.
    parent
        Owner in Qt's sense.
    """

    changed = Signal()

    def __init__(self, spec: FieldSpec, dotted: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.spec = spec
        default = spec.default.get(spec.discriminator) if isinstance(spec.default, Mapping) else spec.default
        self.choice = Row(replace(spec, default=default), dotted, self)
        self.sections = {
            kind: Section(variant_specs(model, spec.discriminator), dotted, self)
            for kind, model in spec.variants.items()
        }
        layout = _column(self)
        layout.addWidget(self.choice)
        for section in self.sections.values():
            layout.addWidget(section)
            section.changed.connect(self.changed)
        self.choice.changed.connect(self._on_choice)
        self.reset()

    def value(self) -> dict[str, Any] | None:
        """Return the chosen kind with its values; None if none is chosen."""
        kind = self.choice.value()
        if kind is None:
            return None
        section = self.sections.get(kind)
        return {self.spec.discriminator: kind, **(section.content() if section is not None else {})}

    def set_value(self, value: Any) -> None:
        """Choose a kind, and show its values."""
        content = value if isinstance(value, Mapping) else {self.spec.discriminator: value}
        kind = content.get(self.spec.discriminator)
        if kind is not None and not isinstance(kind, str):
            kind = str(kind)  # no kind at all: shown, so that it can be marked
        for name, section in self.sections.items():
            section.set_content(content if name == kind else {})
        self.choice.set_value(kind)
        self._show_chosen()

    def reset(self) -> None:
        """Show the default."""
        self.set_value(self.spec.default)

    def rows(self, all_of_them: bool = False) -> Iterator[Row]:
        """Yield the choice and the rows of the chosen kind."""
        yield self.choice
        for kind, section in self.sections.items():
            if all_of_them or kind == self.choice.value():
                yield from section.rows(all_of_them)

    def open_to(self, row: Row) -> None:
        """Open the group that a row is in."""
        for section in self.sections.values():
            section.open_to(row)

    def _show_chosen(self) -> None:
        for kind, section in self.sections.items():
            section.setVisible(kind == self.choice.value() and bool(section.parts))

    def _on_choice(self) -> None:
        self._show_chosen()
        self.changed.emit()


class Group(QWidget):
    """A model within a model: its title, and its rows.

    Parameters
    ----------
    spec
        The field.
    dotted
        Its name from the top of the form.
    parent
        Owner in Qt's sense.
    """

    changed = Signal()

    def __init__(self, spec: FieldSpec, dotted: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.spec = spec
        title = heading(spec.label)
        title.setToolTip(spec.help)
        self.section = Section(field_specs(spec.variants[""]), dotted, self)
        layout = _column(self)
        layout.addWidget(title)
        layout.addWidget(self.section)
        self.section.changed.connect(self.changed)
        self.reset()

    def value(self) -> dict[str, Any]:
        """Return the values of the nested model."""
        return self.section.content()

    def set_value(self, value: Any) -> None:
        """Show the values of the nested model."""
        self.section.set_content(value if isinstance(value, Mapping) else {})

    def reset(self) -> None:
        """Show the default."""
        self.set_value(self.spec.default)

    def rows(self, all_of_them: bool = False) -> Iterator[Row]:
        """Yield the rows of the nested model."""
        return self.section.rows(all_of_them)

    def open_to(self, row: Row) -> None:
        """Open the group that a row is in."""
        self.section.open_to(row)


def _column(widget: QWidget) -> QVBoxLayout:
    layout = QVBoxLayout(widget)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(_GAP)
    return layout
