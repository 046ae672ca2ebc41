"""What was filled in for each method: in this window before, or in the user's last runs."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from napari_nstm._qt.form.array_editor import LAYER_PREFIX
from napari_nstm.core.hints import hint_of
from napari_nstm.run.user_settings import Fragment, UserSettings

BROUGHT_BACK = "Values of your last run with this method; Settings ▾ Reset to defaults brings the defaults back."
_FIT_BROUGHT_BACK = "Fit and output as in your last run with this method; Settings ▾ Reset to defaults clears them."

# The data's own; a run before says nothing about them.
_SIZES = ("pixel_size_um", "plane_spacing_um")


class KeptValues:
    """Fragments of jobs by method; those of earlier sessions are known as such until they are changed.

    Parameters
    ----------
    settings
        The user's.
    """

    def __init__(self, settings: UserSettings) -> None:
        last = settings.last_used()
        self.latest = last.latest
        self.problems = last.problems
        self._fragments = dict(last.fragments)
        self._earlier = set(last.fragments)
        self._shown: dict[str, Fragment] = {}  # as the form showed what earlier sessions left

    def keep(self, fragment: Fragment) -> None:
        """Keep what the form says for a method."""
        if self._shown.get(fragment.modality) != fragment:
            self.forget_earlier(fragment.modality)
        self._fragments[fragment.modality] = fragment

    def of(self, modality: str, layer_names: Collection[str]) -> Fragment | None:
        """Return what was kept for a method; from earlier sessions without arrays of layers that are gone."""
        fragment = self._fragments.get(modality)
        if fragment is None or modality not in self._earlier:
            return fragment
        there = {key: value for key, value in fragment.acquisition.items() if not _is_gone(value, layer_names)}
        return replace(fragment, acquisition=there)

    def forget(self, modality: str) -> None:
        """Keep nothing for a method."""
        self._fragments.pop(modality, None)
        self.forget_earlier(modality)

    def forget_earlier(self, modality: str) -> None:
        """Take what the form shows for a method as of this session."""
        self._earlier.discard(modality)
        self._shown.pop(modality, None)

    def shown(self, fragment: Fragment) -> None:
        """Remember how the form shows what was kept."""
        if fragment.modality in self._earlier:
            self._shown[fragment.modality] = fragment

    def sentence(self, now: Fragment, defaults: Fragment) -> str:
        """Say that the form shows values of an earlier session; empty where it shows none.

        Parameters
        ----------
        now
            What the form says.
        defaults
            What it says without being filled in.
        """
        shown = self._shown.get(now.modality)
        if shown is None:
            return ""
        if _of_the_user(now) == _of_the_user(shown) != _of_the_user(defaults):
            return BROUGHT_BACK
        same = _beside(now) == _beside(shown) != _beside(defaults)
        return _FIT_BROUGHT_BACK if same else ""

    def unfit(self, content: Mapping[str, Any], modality: str, model: type[BaseModel], n_frames: int) -> set[str]:
        """Return the settings of an earlier session that hold a value for each of another number of frames."""
        shown = self._shown.get(modality)
        if shown is None:
            return set()
        return {
            name
            for name, value in content.items()
            if isinstance(value, list)
            and len(value) != n_frames
            and value == shown.acquisition.get(name)
            and hint_of(model.model_fields[name]).per_frame
        }


def _is_gone(value: Any, layer_names: Collection[str]) -> bool:
    """Whether a setting, or one within it, is the array of a layer that is not there."""
    if isinstance(value, Mapping):
        return any(_is_gone(inner, layer_names) for inner in value.values())
    return (
        isinstance(value, str)
        and value.startswith(LAYER_PREFIX)
        and value.removeprefix(LAYER_PREFIX) not in layer_names
    )


def _beside(fragment: Fragment) -> tuple[Any, ...]:
    return fragment.fit, fragment.times, fragment.compute


def _of_the_user(fragment: Fragment) -> dict[str, Any]:
    return {name: value for name, value in fragment.acquisition.items() if name not in _SIZES}
