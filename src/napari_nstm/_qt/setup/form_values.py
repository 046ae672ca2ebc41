"""The user's own values in a form: kept for each method, remembered for the next session, brought back from it."""

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer, Signal

from napari_nstm._qt.background import Background
from napari_nstm._qt.raw_layer import acquisition_of
from napari_nstm._qt.setup.kept_values import KeptValues
from napari_nstm.core.errors import in_one_sentence
from napari_nstm.run.user_settings import Fragment, UserSettings

if TYPE_CHECKING:
    from napari_nstm._qt.setup.job_form import JobForm

_OTHER_RUNS = ("motion_from", "start_from")  # results, of this sample


class FormValues(QObject):
    """What is filled in, but for the data's own: frames, a part of them, other runs of them.

    Parameters
    ----------
    form
        Whose values they are; its owner in Qt's sense.
    device
        What a run computes on unless the user says otherwise.
    """

    said = Signal(str, bool)
    """A sentence about the values that are shown, and whether it is a problem."""

    def __init__(self, form: "JobForm", device: str) -> None:
        super().__init__(form)
        self._form, self._device = form, device
        self.settings = UserSettings()
        self._kept = KeptValues(self.settings)
        self._background = Background(self)
        form.fit.set_content({"device": device})
        self._fit_defaults = form.fit.content()
        self._defaults: Fragment | None = None
        self._say_later = QTimer(self)  # who makes a form listens to it by then
        self._say_later.setSingleShot(True)
        self._say_later.timeout.connect(self._say_what_is_shown)
        self._say_later.start(0)

    @property
    def latest(self) -> str:
        """Method of the user's last run; empty where there is none."""
        return self._kept.latest or ""

    def fragment(self) -> Fragment:
        """Return what is filled in."""
        form = self._form
        fit = form.fit.content()
        said = {name: fit[name] for name in fit if name == "preset" or fit[name] != self._fit_defaults.get(name)}
        for name in _OTHER_RUNS:
            said.pop(name, None)
        times = form.output.content().get("times")
        return Fragment(
            form.modality.name,
            form.acquisition.content(),
            said,
            tuple(times) if isinstance(times, list) else times,
            form.compute.content(),
        )

    def show(self, fragment: Fragment) -> tuple[str, ...]:
        """Show values, with the method that they are for; returns keys that have no row."""
        self._form.set_modality(fragment.modality)
        self._kept.forget_earlier(fragment.modality)
        return self._fill_in(fragment)

    def keep(self) -> None:
        """Keep what is filled in, before another method is shown."""
        self._kept.keep(self.fragment())

    def bring_back(self) -> None:
        """Show what was kept for the method that is shown, which has its defaults."""
        form = self._form
        self._defaults = Fragment(form.modality.name, form.acquisition.content(), {"preset": "fast"})
        kept = self._kept.of(form.modality.name, {layer.name for layer in form.raw.array_candidates()})
        if kept is not None:
            self._fill_in(kept)
            self._kept.shown(self.fragment())
            self._say_later.start(0)

    def drop_other_frames(self, n_frames: int) -> None:
        """Drop what an earlier session left for each of another number of frames."""
        form = self._form
        content = form.acquisition.content()
        unfit = self._kept.unfit(content, form.modality.name, form.modality.Settings, n_frames)
        if unfit:
            form.acquisition.set_content({name: content[name] for name in content if name not in unfit})
            self._kept.shown(self.fragment())

    def remember(self) -> None:
        """Keep what is filled in for the next session."""
        fragment = self.fragment()
        self._background.submit(lambda: self.settings.remember(fragment), failed=self._not_remembered)

    def reset(self) -> None:
        """Show the defaults of the method, and what the raw layer itself says."""
        form = self._form
        self._kept.forget(form.modality.name)
        form.region = None
        form.fit.set_content({"device": self._device})
        form.output.set_content({})
        form.compute.set_content({})
        form.part.set_content({})
        known = None if form.raw.layer is None else acquisition_of(form.raw.layer)
        form.acquisition.set_content(known[1] if known is not None and known[0] == form.modality.name else {})

    def close(self) -> None:
        """Finish what is being written."""
        self._background.close(wait=True)

    # -- inside -------------------------------------------------------------

    def _fill_in(self, fragment: Fragment) -> tuple[str, ...]:
        form = self._form
        others = {name: form.fit.content().get(name) for name in _OTHER_RUNS}
        form.fit.set_content({"device": self._device, **fragment.fit, **others})
        form.output.set_content({} if fragment.times is None else {"times": fragment.times})
        form.compute.set_content(fragment.compute)
        return form.acquisition.set_content(fragment.acquisition)

    def _say_what_is_shown(self) -> None:
        problem, self._kept.problems = " ".join(self._kept.problems), ()
        sentence = "" if self._defaults is None else self._kept.sentence(self.fragment(), self._defaults)
        if problem or sentence:
            self.said.emit(f"{problem} {sentence}".strip(), bool(problem))

    def _not_remembered(self, error: Exception) -> None:
        self.said.emit(in_one_sentence(error), True)
