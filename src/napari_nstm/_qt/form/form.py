"""A form for any settings model: everything in it follows from the model."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QScrollArea, QVBoxLayout, QWidget

from napari_nstm._qt.form.array_editor import ArrayEditor
from napari_nstm._qt.form.editors import LineEditor
from napari_nstm._qt.form.fields import field_specs
from napari_nstm._qt.form.row import ProblemLine, Row
from napari_nstm._qt.form.section import Section
from napari_nstm._qt.form.words import sentence, with_labels
from napari_nstm.core.errors import input_errors_from


class SettingsForm(QWidget):
    """Rows for the fields of a settings model; problems stand at their own rows, in words.

    Parameters
    ----------
    model
        A pydantic model.
    fields
        Only these fields, in this order; the others need defaults. Default: all.
    parent
        Owner in Qt's sense.
    """

    changed = Signal()
    """Emitted once for each edit, by the user or by the program."""

    def __init__(
        self, model: type[BaseModel], fields: Sequence[str] | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._model = model
        self._quiet = False
        self._n_frames: int | None = None
        self._section = Section(field_specs(model, fields), parent=self)
        self._general = ProblemLine(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._section)
        layout.addWidget(self._general)
        self._section.changed.connect(self._on_changed)
        self._target: Row | None = None
        self._scroll_later = QTimer(self)
        self._scroll_later.setSingleShot(True)
        self._scroll_later.timeout.connect(self._scroll)

    @property
    def n_frames(self) -> int | None:
        """Number of raw frames, to which "0, 25, ..." goes on; None: not known."""
        return self._n_frames

    @n_frames.setter
    def n_frames(self, n_frames: int | None) -> None:
        self._n_frames = n_frames
        self._once(lambda: [editor.set_n_frames(n_frames) for editor in self._editors(LineEditor)])

    def content(self) -> dict[str, Any]:
        """Return the settings as plain JSON; empty ones are left out, what is no value stays text."""
        return self._section.content()

    def set_content(self, content: Mapping[str, Any]) -> tuple[str, ...]:
        """Show settings; what is not among them gets its default.

        Returns
        -------
        tuple of str
            Keys that have no row here.
        """
        self.clear_problems()
        self._once(lambda: self._section.set_content(content), always=True)
        return tuple(key for key in content if key not in self._section.specs)

    def arrays(self) -> dict[str, Any]:
        """Return the arrays of chosen layers by the dotted name of the setting they stand for."""
        editors = {row.dotted: row.editor for row in self._section.rows() if isinstance(row.editor, ArrayEditor)}
        arrays = {dotted: editor.array() for dotted, editor in editors.items()}
        return {dotted: array for dotted, array in arrays.items() if array is not None}

    def array_layers(self) -> list[Any]:
        """Return the chosen layers themselves."""
        rows = [row for row in self._section.rows() if isinstance(row.editor, ArrayEditor)]
        return [row.editor.layer() for row in rows if row.editor.layer() is not None]

    def set_layers(self, layers: Iterable[Any]) -> None:
        """Take the image layers that arrays may come from; choices are kept where the layer still is."""
        kept = list(layers)
        self._once(lambda: [editor.set_layers(kept) for editor in self._editors(ArrayEditor)])

    def insert_below(self, fields: Sequence[str], widget: QWidget) -> None:
        """Put a widget among the rows, below those of some fields; below all where there are none of them."""
        self._section.insert_below(fields, widget)

    def validate(self, *, show: bool = True, without: Collection[str] = ()) -> Any:
        """Check the settings with their model.

        Parameters
        ----------
        show
            Whether every problem is shown at its row (and the first one scrolled to).
        without
            Fields whose content does not count: they get their defaults.

        Returns
        -------
        Settings or None
            None if there is a problem.
        """
        counting = [row for row in self._section.rows() if row.dotted.partition(".")[0] not in without]
        problems = {row.dotted: row.editor.complaint() for row in counting if row.editor.complaint()}
        settings, general = None, []
        try:
            content = self.content()
            settings = self._model.model_validate({key: content[key] for key in content if key not in without})
        except ValidationError as error:
            own = set(problems)
            for found in input_errors_from(error):
                row, rest = self._find(found.field)
                if row is None:
                    general.append(f"{found.field}: {sentence(found)}")
                elif row.dotted not in own:
                    lines = [*filter(None, [problems.get(row.dotted)]), _with_key(row, rest, sentence(found))]
                    problems[row.dotted] = "\n".join(lines)
        if show:
            self.clear_problems()
            for dotted in [row.dotted for row in self._section.rows() if row.dotted in problems][::-1]:
                self.show_problem(dotted, problems[dotted])
            self._general.set_text("\n".join(general))
        return None if problems or general else settings

    def show_problem(self, field: str | None, text: str) -> bool:
        """Show a problem at the row of a field: its group is opened and it is scrolled to.

        Parameters
        ----------
        field
            Dotted name from this model (`background.value`, `source_angles_deg.2`).
        text
            A sentence.

        Returns
        -------
        bool
            False if no row that is shown belongs to the field.
        """
        row, rest = self._find(field or "")
        if row is None:
            return False
        labels = {each.spec.name: each.spec.label for each in self._section.rows(all_of_them=True)}
        row.set_problem(with_labels(_with_key(row, rest, text), labels))
        self._section.open_to(row)
        self._target = row
        self._scroll_later.start(0)
        return True

    def clear_problems(self) -> None:
        """Take all problems away."""
        for row in self._section.rows(all_of_them=True):
            row.set_problem("")
        self._general.set_text("")

    def problems(self) -> dict[str, str]:
        """Return the problems that are shown, by the dotted names of their rows."""
        return {row.dotted: row.problem() for row in self._section.rows() if row.problem()}

    def label(self, field: str) -> str:
        """Return what a field is called; empty where it has no row."""
        spec = self._section.specs.get(field)
        return "" if spec is None else spec.label

    def default_kind(self, field: str) -> dict[str, Any] | None:
        """Return which variant of a union is its default, as content; None for fields of another kind."""
        spec = self._section.specs.get(field)
        if spec is None or spec.kind != "union" or not isinstance(spec.default, Mapping):
            return None
        return {spec.discriminator: spec.default.get(spec.discriminator)}

    def editor(self, field: str) -> QWidget:
        """Return the editor of a field by its dotted name.

        Raises
        ------
        KeyError
            If no row that is shown belongs to it.
        """
        return {row.dotted: row.editor for row in self._section.rows()}[field]

    def _find(self, field: str) -> tuple[Row | None, str]:
        """Return the row that a dotted name belongs to, and what of the name is left (`2` of `angles.2`)."""
        rows = {row.dotted: row for row in self._section.rows()}
        parts = [part for part in field.split(".") if part]
        for n in range(len(parts), 0, -1):
            row = rows.get(".".join(parts[:n]))
            if row is not None and row.spec.kind == "union" and n < len(parts) and parts[n] == row.value():
                # pydantic writes the chosen kind between: `background.constant.value`
                return self._find(".".join([*parts[:n], *parts[n + 1 :]]))
            if row is not None:
                return row, ".".join(parts[n:])
        return None, field

    def _editors(self, kind: type) -> list[Any]:
        return [row.editor for row in self._section.rows(all_of_them=True) if isinstance(row.editor, kind)]

    def _once(self, change: Any, always: bool = False) -> None:
        """Do what changes several editors with one signal: always, or only if the content changed by it."""
        before = self.content()
        self._quiet = True
        try:
            change()
        finally:
            self._quiet = False
        if always or self.content() != before:
            self.changed.emit()

    def _on_changed(self) -> None:
        if not self._quiet:
            self.changed.emit()

    def _scroll(self) -> None:
        parent = self.parentWidget()
        while parent is not None and not isinstance(parent, QScrollArea):
            parent = parent.parentWidget()
        if parent is not None and self._target is not None:
            parent.ensureWidgetVisible(self._target, 0, 20)


def _with_key(row: Row, rest: str, text: str) -> str:
    """Name the key in a mapping that a text is about; the place in a list says nothing that the text does not."""
    return f"{rest}: {text}" if rest and row.spec.kind == "yaml" else text
