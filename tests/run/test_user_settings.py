"""Presets and last values: what is kept comes back, and nothing on the disk can bring the plugin down."""

import os
import sys

import pytest
import yaml

from napari_nstm.core.errors import InputError, StoreError
from napari_nstm.run.user_settings import ENVIRONMENT, Fragment, UserSettings

DPC = Fragment("dpc", {"wavelength_um": 0.525, "background": {"kind": "none"}}, {"preset": "fast", "epochs": 50}, 7)
SIM = Fragment("sim", {"na": 1.4}, {"preset": "paper"}, (0.0, 2.5))


@pytest.fixture
def settings(tmp_path):
    return UserSettings(tmp_path / "new" / "folder")


def test_the_environment_names_the_folder(monkeypatch, tmp_path):
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path))
    assert UserSettings().path == tmp_path
    monkeypatch.delenv(ENVIRONMENT)
    assert UserSettings().path.name == "napari-nstm"


def test_a_preset_comes_back_as_it_was(settings):
    assert settings.presets().fragments == {}
    settings.save_preset("SIM", SIM)
    assert settings.save_preset("  my  cells ", DPC) == "my cells"
    assert settings.load_preset("my cells") == DPC
    assert settings.presets().fragments == {"my cells": DPC, "SIM": SIM}
    settings.save_preset("SIM", DPC)
    assert settings.load_preset("SIM") == DPC
    settings.delete_preset("SIM")
    settings.delete_preset("SIM")
    assert list(settings.presets().fragments) == ["my cells"]
    with pytest.raises(InputError, match="it is gone"):
        settings.load_preset("SIM")


@pytest.mark.parametrize("name", ["60 % µm", "../../up", "a/b\\c", ".hidden", "con", "x" * 60, "Ж 細胞"])
def test_a_name_may_be_anything_and_stays_in_the_folder(settings, name):
    settings.save_preset(name, DPC)
    assert list(settings.presets().fragments) == [name]
    assert settings.load_preset(name) == DPC
    assert [path.parent for path in settings.path.rglob("*.yml")] == [settings.path / "presets"]


@pytest.mark.parametrize("name", ["", "  ", "x" * 61, "a\0b"])
def test_what_is_no_name_is_refused(settings, name):
    with pytest.raises(InputError, match="a name of 1 to 60 characters"):
        settings.save_preset(name, DPC)
    assert not settings.path.exists()


DAMAGED = {
    "no YAML": b"modality: [dpc",
    "no text": b"\xff\xfe\x00",
    "code": b"!!python/object/apply:os.system ['true']",
    "a list": b"- 1",
    "empty": b"",
    "no method": b"fit: {epochs: 5}",
    "no settings": b"{modality: dpc, acquisition: 5}",
    "no times": b"{modality: dpc, output: {times: soon}}",
    "large": b"#" * 1_000_001,
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_preset_is_skipped_with_a_sentence(settings, content):
    settings.save_preset("good", DPC)
    (settings.path / "presets" / "bad.yml").write_bytes(content)
    kept = settings.presets()
    assert kept.fragments == {"good": DPC}
    assert len(kept.problems) == 1
    assert kept.problems[0].startswith("The preset “bad” was skipped: it")
    settings.delete_preset("bad")
    assert settings.presets().problems == ()


def test_the_last_run_with_each_method_comes_back(settings):
    assert settings.last_used().latest is None
    settings.remember(DPC)
    settings.remember(SIM)
    last = settings.last_used()
    assert (last.latest, last.fragments, last.problems) == ("sim", {"dpc": DPC, "sim": SIM}, ())
    settings.remember(Fragment("dpc"))
    assert settings.last_used().fragments == {"dpc": Fragment("dpc"), "sim": SIM}


@pytest.mark.parametrize("content", [b"latest: [", b"\xff", b"- 1", b"methods: 3", b"latest: sim"])
def test_damaged_last_values_are_skipped_and_replaced(settings, content):
    settings.path.mkdir(parents=True)
    (settings.path / "last.yml").write_bytes(content)
    assert settings.last_used().latest is None
    settings.remember(SIM)
    assert settings.last_used().fragments == {"sim": SIM}


def test_one_method_that_is_damaged_leaves_the_others(settings):
    settings.remember(SIM)
    file = settings.path / "last.yml"
    content = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({**content, "latest": "dpc", "methods": {**content["methods"], "dpc": 3}}))
    last = settings.last_used()
    assert (last.latest, last.fragments) == (None, {"sim": SIM})
    assert last.problems == ("The values of your last run with “dpc” were skipped: it names no method.",)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="everything may be written here")
def test_a_folder_that_cannot_be_written_is_said(settings):
    settings.path.mkdir(parents=True)
    settings.path.chmod(0o500)
    with pytest.raises(StoreError, match="cannot be kept"):
        settings.remember(DPC)


def test_a_file_in_the_place_of_the_folder_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    settings = UserSettings(tmp_path / "file")
    with pytest.raises(StoreError, match="cannot be kept"):
        settings.save_preset("x", DPC)
    assert settings.presets().fragments == {}
    assert settings.last_used().fragments == {}
