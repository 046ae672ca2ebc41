"""The form of a whole job: modality, raw frames, acquisition, fit and output, from their settings models alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari.components import ViewerModel
from pydantic import ValidationError, create_model
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_nstm._qt.form import SettingsForm
from napari_nstm._qt.form.collapsible import Collapsible
from napari_nstm._qt.form.editors import CalmComboBox
from napari_nstm._qt.heading import heading
from napari_nstm._qt.raw_layer import acquisition_of, array_axes_of, n_images
from napari_nstm._qt.setup.form_values import FormValues
from napari_nstm._qt.setup.held_frames import HeldFrames
from napari_nstm._qt.setup.raw_picker import RawPicker
from napari_nstm._qt.setup.sizes import place_raw, with_sizes_of
from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError, input_error_from
from napari_nstm.core.settings import (
    AcquisitionSettings,
    ComputeSettings,
    FitRequest,
    Job,
    OutputSettings,
    Region,
    Settings,
)
from napari_nstm.imaging.base import Modality
from napari_nstm.imaging.registry import modality, modality_names
from napari_nstm.run.plan import read_frames

_NO_PLACE = 100

# What a job says of the frames but their region, which is drawn.
_FRAMES = Job.model_fields["frames"]
_PartOfJob = create_model("_PartOfJob", __base__=Settings, frames=(_FRAMES.annotation, _FRAMES))

NO_FRAMES, MARKED = "Choose raw frames first.", "Mend what is marked ⚠ first."


class JobForm(QWidget):
    """Everything a run needs to know; its content is a `Job`.

    Parameters
    ----------
    viewer
        Whose layers hold the raw frames.
    device
        What a run computes on unless the user says otherwise.
    parent
        Owner in Qt's sense.
    """

    changed = Signal()
    """Something that the job says was changed, by the user or with the raw layer."""
    said = Signal(str, bool)
    """A sentence about the values that are shown, and whether it is a problem."""
    region_problem = Signal(str)
    """What is wrong with the part of the frames that is to be reconstructed; empty: nothing."""

    def __init__(self, viewer: ViewerModel, device: str = "auto", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._held = HeldFrames()
        self._region: Region | None = None
        self.method = CalmComboBox()
        self.method.setAccessibleName("Method")
        self.method.setToolTip("Kind of microscope that took the raw frames.")
        self.raw = RawPicker(viewer)
        self.fit = SettingsForm(FitRequest)
        self.output = SettingsForm(OutputSettings, ("times",))
        self.part = SettingsForm(_PartOfJob)
        self.compute = SettingsForm(ComputeSettings)
        self.large = Collapsible("Large data", self.compute)
        self.large.setToolTip("A field that is too large for the memory is reconstructed in tiles.")
        self.acquisition: SettingsForm | None = None
        self._modality: Modality | None = None
        self._layer: Any = None  # the raw layer that the settings belong to
        self._tools: QWidget | None = None
        self._slot = QVBoxLayout()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for title, part in (
            ("Method", self.method),
            ("Raw frames", self.raw),
            ("Acquisition", self._slot),
            ("Fit", self.fit),
            ("Output", self.output),
        ):
            layout.addWidget(heading(title))
            layout.addLayout(part) if isinstance(part, QVBoxLayout) else layout.addWidget(part)
            if part is self.raw:
                layout.addWidget(self.part)
        layout.addWidget(self.large)
        layout.addStretch(1)
        for name, title in self._offered():
            self.method.addItem(title, name)
        self.values = FormValues(self, device)
        self.values.said.connect(self.said)
        self.set_modality(self.values.latest)
        self.method.currentIndexChanged.connect(self._method_picked)
        self.raw.chosen.connect(self._raw_chosen)
        self.raw.data_changed.connect(self._raw_replaced)
        self.raw.placed.connect(self._raw_placed)
        self.raw.candidates_changed.connect(self._show_frames)
        self.compute.changed.connect(self._show_large)
        for form in (self.part, self.fit, self.output, self.compute):
            form.changed.connect(self.changed)
        self._method_picked()
        self._raw_chosen(self.raw.layer)

    def place_tools(self, tools: QWidget) -> None:
        """Put a widget below the settings that can be found in the frames; it stays there for every method."""
        self._tools = tools
        self._put_tools()

    # -- what it says -------------------------------------------------------

    @property
    def modality(self) -> Modality:
        """The chosen method."""
        return self._modality

    def set_modality(self, name: str) -> None:
        """Choose a method."""
        index = self.method.findData(name)
        if index >= 0:
            self.method.setCurrentIndex(index)

    def job(self, path: Path, **output: Any) -> Job | None:
        """Return the job, or None: then every problem stands at its row.

        Parameters
        ----------
        path
            Where its result goes.
        **output
            Further entries of the job's `output`.
        """
        self.clear_problems()
        if self.raw.layer is None:
            return None  # who has no frames yet is not told that everything else is missing too
        # All of them: each shows its own problems.
        valid = [form.validate() is not None for form in self._forms().values()]
        if self.compute.problems():
            self.large.set_open()
        if not all(valid):
            return None
        content = {
            "modality": self.modality.name,
            "raw": self.raw.layer.name or "raw",
            "axes": array_axes_of(self.raw.layer),
            "region": self._region,
            "frames": self.part.content().get("frames"),
            "acquisition": self.acquisition.content(),
            "fit": self.fit.content(),
            "output": {"path": str(path), **self.output.content(), **output},
            "compute": self.compute.content() or None,
        }
        try:
            return Job.model_validate({key: value for key, value in content.items() if value is not None})
        except ValidationError as error:
            self.show_error(input_error_from(error))
            return None

    def reader(self, *, fresh: bool = True) -> Callable[[], RawData]:
        """Return what reads the raw frames and further arrays, in any thread.

        Parameters
        ----------
        fresh
            Read anew; otherwise what was read is given again while the layers hold the same arrays.
        """
        in_colors = "c" in self.modality.raw_axes
        return self._held.reader(self.raw.layer, self.acquisition.arrays(), in_colors=in_colors, fresh=fresh)

    def frames_for(self, settings: AcquisitionSettings, folder: Path) -> Callable[[], RawData]:
        """Return what brings the raw frames to the method's axes, as a run does; it may be called in any thread.

        Parameters
        ----------
        settings
            Valid ones; files that they name are read too.
        folder
            That paths are relative to.
        """
        read, used, layer = self.reader(fresh=False), self.modality, self.raw.layer
        job = Job(modality=used.name, raw=layer.name or "raw", axes=array_axes_of(layer), acquisition={})
        return lambda: read_frames(job, used, settings, read(), folder)

    def place_raw(self) -> str | None:
        """Set the form's sizes on the raw layer, and on images of its size that belong to it.

        Returns a sentence if that changed anything about the raw layer.
        """
        others = self.acquisition.array_layers()
        return place_raw(self.raw.layer, self.acquisition.content(), self.modality, others)

    @property
    def why_not(self) -> str:
        """What the user is to do where there is no job."""
        return NO_FRAMES if self.raw.layer is None else MARKED

    @property
    def region(self) -> Region | None:
        """Part of the frames that a run is limited to, as in `Job.region`; None: all of them."""
        return self._region

    @region.setter
    def region(self, region: Region | None) -> None:
        if region != self._region:
            self._region = region
            self.changed.emit()

    def remember(self) -> None:
        """Keep what is filled in for the next session; call it when a run begins."""
        self.values.remember()

    def reset(self) -> None:
        """Show the defaults of the method, and what the raw layer itself says."""
        self.values.reset()
        self._raw_placed()

    # -- problems -----------------------------------------------------------

    def show_error(self, error: InputError) -> bool:
        """Put a problem at the row it belongs to; returns False if there is none."""
        return self.show_problem(error.field, f"Takes {error.takes}; got {error.got}.")

    def show_problem(self, field: str | None, text: str) -> bool:
        """Put a sentence at the row of a job's field (`acquisition.wavelength_um`, `raw`)."""
        got, found, takes = text.removeprefix(f"{field}: got ").partition("; takes ")
        if found and text.startswith(f"{field}: got "):  # an error as the fitting process writes it
            text = f"Takes {takes}; got {got}."
        part, _, rest = (field or "").partition(".")
        if part in ("raw", "axes"):
            self.raw.show_problem(text)
            return True
        if part == "region":
            self.region_problem.emit(text)
            return True
        if part == "frames":
            return self.part.show_problem(field, text)
        if part == "compute":
            self.large.set_open()
        form = self._forms().get(part)
        return form is not None and form.show_problem(rest or None, text)

    def clear_problems(self) -> None:
        """Take all problems away."""
        self.raw.show_problem("")
        self.region_problem.emit("")
        for form in self._forms().values():
            form.clear_problems()

    # -- what happens -------------------------------------------------------

    def _forms(self) -> dict[str, SettingsForm]:
        return {
            "frames": self.part,
            "acquisition": self.acquisition,
            "fit": self.fit,
            "output": self.output,
            "compute": self.compute,
        }

    def _show_large(self) -> None:
        """Open the group where something in it counts: what is closed would be overlooked."""
        if self.compute.content():
            self.large.set_open()

    def disconnect_viewer(self) -> None:
        """Listen no longer to the viewer."""
        self.raw.disconnect_viewer()
        self.values.close()

    def _method_picked(self, _: int = 0) -> None:
        if self._modality is not None:
            self.values.keep()
            if self._tools is not None:
                self._tools.setParent(None)  # the settings it stands among are deleted
            self._slot.removeWidget(self.acquisition)
            self.acquisition.changed.disconnect(self.changed)
            self.acquisition.hide()
            self.acquisition.deleteLater()
        self._modality = modality(self.method.currentData())
        self.acquisition = SettingsForm(self._modality.Settings)
        self._slot.addWidget(self.acquisition)
        self._put_tools()
        self._show_frames()  # arrays are looked for among the layers
        self.values.bring_back()
        self.acquisition.changed.connect(self.changed)
        self._show_frames()
        self.changed.emit()

    def _raw_chosen(self, layer: Any) -> None:
        if layer is not self._layer:
            self._layer, self._region = layer, None
            self.part.set_content({})
        known = None if layer is None else acquisition_of(layer)
        if known is not None:
            self.set_modality(known[0])
            self.acquisition.set_content(known[1])
        else:
            self._raw_placed()
        self._show_frames()
        self.changed.emit()

    def _raw_replaced(self) -> None:
        self._show_frames()
        self.changed.emit()

    def _raw_placed(self) -> None:
        """Take pixel size and distance of planes from the layer's scale."""
        layer = self.raw.layer
        content = None if layer is None else with_sizes_of(layer, self.acquisition.content(), self.modality)
        if content is not None:
            self.acquisition.set_content(content)

    def _offered(self) -> list[tuple[str, str]]:
        """Return names and titles of the methods; one that cannot be loaded is left out: the others can be used."""
        found = []
        for name in modality_names():
            try:
                used = modality(name)
            except InputError as error:
                self.method.setToolTip(f"{self.method.toolTip()}\n{name} is not offered: {error.got}.")
            else:
                # Those that ask for no place come last, the ones with short names, the common ones, before others.
                found.append((getattr(used, "menu_order", _NO_PLACE), len(name), name, used.title))
        return [(name, title) for _, _, name, title in sorted(found)]

    def _put_tools(self) -> None:
        if self._tools is not None:
            self.acquisition.insert_below(self.modality.estimates, self._tools)

    def _show_frames(self) -> None:
        layer = self.raw.layer
        self.acquisition.n_frames = None if layer is None else n_images(layer, self.modality.raw_axes)
        self.acquisition.set_layers(self.raw.array_candidates())
        if layer is not None:
            self.values.drop_other_frames(self.acquisition.n_frames)
