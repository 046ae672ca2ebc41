"""The form of any settings model."""

from napari_nstm._qt.form.form import SettingsForm

__all__ = ["SettingsForm"]
