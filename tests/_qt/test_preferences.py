"""Preferences: napari's page shows them, what is changed there is read, and what cannot be used does no harm."""

import sys
from pathlib import Path

import npe2
import pytest

import napari_nstm
from napari_nstm._qt import preferences as module
from napari_nstm._qt.preferences import PLUGIN, Preferences, preferences_from, read_preferences


@pytest.fixture
def settings(plugin_settings, npe2pm):
    """napari's own settings of the plugin, in a folder of this test."""
    from napari.settings import get_plugin_settings

    npe2pm.register(npe2.PluginManifest.from_distribution(PLUGIN))
    return get_plugin_settings(PLUGIN)


@pytest.mark.usefixtures("settings")
def test_the_page_has_the_defaults_of_the_code():
    assert read_preferences() == Preferences()


def test_what_is_changed_on_the_page_is_read_and_kept(settings):
    settings.reconstruction.device = "gpu"
    settings.reconstruction.previews_per_second = 5.0
    settings.reconstruction.memory_percent = 50
    settings.files.cache_folder = "~/nstm"
    settings.files.cache_days = 7
    read = read_preferences()
    assert (read.device, read.memory_share, read.cache_days) == ("gpu", 0.5, 7)
    assert read.preview_every_s == pytest.approx(0.2)
    assert "cache_days: 7" in settings.config_path.read_text()


def test_the_page_refuses_what_the_code_refuses(settings):
    for page, name, value in (
        ("reconstruction", "device", "tpu"),
        ("reconstruction", "memory_percent", 150),
        ("reconstruction", "previews_per_second", 0.1),
        ("files", "cache_gb", 0.0),
        ("files", "cache_days", 0),
        ("files", "movie_format", "avi"),
    ):
        with pytest.raises(ValueError, match=name):
            setattr(getattr(settings, page), name, value)
        bad = preferences_from({name: value})
        assert getattr(bad, name) == getattr(Preferences(), name)
        assert name.replace("_", " ") in bad.problem


def test_a_damaged_file_gives_the_defaults(settings, monkeypatch):
    from napari import settings as napari_settings

    path = settings.config_path
    path.write_text("reconstruction: [1, 2\n  device")
    monkeypatch.setattr(napari_settings, "_PLUGIN_SETTINGS", {})
    assert read_preferences() == Preferences()

    def broken(_):
        raise AssertionError("- a list")

    monkeypatch.setattr(napari_settings, "get_plugin_settings", broken)
    assert read_preferences().problem == "The preferences cannot be read (AssertionError): the defaults are used."


def test_an_older_napari_has_the_defaults(monkeypatch):
    monkeypatch.setitem(sys.modules, "napari.settings", None)
    assert read_preferences() == Preferences()


def test_what_can_be_used_stays_beside_what_cannot():
    read = preferences_from(
        {"device": "cpu", "memory_percent": "all", "cache_gb": True, "cache_folder": None, "new": 1}
    )
    assert (read.device, read.memory_share, read.cache_gb, read.cache_folder) == ("cpu", 0.8, 5.0, "")
    assert (
        read.problem == "In Preferences, “memory percent”, “cache folder”, “cache gb” cannot be used: the default is."
    )


def test_the_environment_names_the_folder_before_the_page_does(monkeypatch, tmp_path):
    monkeypatch.delenv(module.RUNS, raising=False)
    assert Preferences().runs_folder is None
    assert Preferences(cache_folder=" ~/nstm ").runs_folder == Path("~/nstm").expanduser()
    monkeypatch.setenv(module.RUNS, str(tmp_path))
    assert Preferences(cache_folder="~/nstm").runs_folder is None


def test_every_entry_of_the_page_is_a_preference():
    manifest = npe2.PluginManifest.from_file(Path(napari_nstm.__file__).with_name("napari.yaml"))
    pages = manifest.contributions.configurations
    names = [name for page in pages.values() for name in page.properties]
    assert set(pages) == {"reconstruction", "files"}
    assert sorted([*names, "problem"]) == sorted(field.name for field in module.fields(Preferences))
