"""The manifest: what napari silently drops where it is wrong."""

from importlib import import_module
from pathlib import Path

import npe2
import pytest
from napari._app_model.constants import MenuId

import napari_nstm

SAMPLES = [
    "DPC: moving target",
    "DPC: moving cells",
    "SIM: moving filaments",
    "SIM 3D: moving tubule",
    "DiffuserCam: a waving hand (simulated, one raw image)",
    "DiffuserCam: a bouncing ball in colour (simulated, one raw image)",
]

_FILE = Path(napari_nstm.__file__).with_name("napari.yaml")


@pytest.fixture(scope="module")
def manifest():
    return npe2.PluginManifest.from_file(_FILE)


def test_menus_exist_and_take_contributions(manifest):
    allowed = {str(menu.value) for menu in MenuId.contributables()}
    assert set(manifest.contributions.menus) == {"napari/layers/filter"}
    assert set(manifest.contributions.menus) <= allowed


def test_every_command_is_used_and_can_be_imported(manifest):
    contributions = manifest.contributions
    users = [*contributions.widgets, *contributions.readers, *contributions.sample_data]
    assert {user.command for user in users} == {command.id for command in contributions.commands}
    for command in contributions.commands:
        module, name = command.python_name.split(":")
        assert callable(getattr(import_module(module), name))


def test_a_user_finds_everything_by_name(manifest):
    contributions = manifest.contributions
    assert [widget.display_name for widget in contributions.widgets] == ["Reconstruct a moving sample"]
    assert [sample.display_name for sample in contributions.sample_data] == SAMPLES
    assert contributions.readers[0].filename_patterns == ["*.zarr"]
    assert contributions.readers[0].accepts_directories


def test_every_preference_says_what_it_is_and_takes_its_default(manifest):
    pages = manifest.contributions.configurations
    properties = [entry for page in pages.values() for entry in page.properties.values()]
    assert len(properties) == 7
    for entry in properties:
        assert entry.description.endswith(".")
        assert type(entry.default) is entry.python_type
        entry.validate_instance(entry.default)


def test_the_checkout_shows_the_same_manifest():
    link = Path(__file__).parents[2] / "napari.yaml"
    if not link.exists():
        pytest.skip("tests are run without their checkout")
    assert not _FILE.is_symlink()  # the real one travels in the wheel
    assert link.resolve() == Path(__file__).parents[2] / "src" / "napari_nstm" / "napari.yaml"


def test_the_menus_of_a_window_offer_panel_and_samples(make_napari_viewer):
    window = make_napari_viewer().window

    def texts(menu):
        for action in menu.actions():
            yield action.text()
            if action.menu() is not None:
                yield from texts(action.menu())

    shown = {menu: set(texts(getattr(window, menu))) for menu in ("layers_menu", "plugins_menu", "file_menu")}
    panel = "Reconstruct a moving sample (Neural space-time model)"
    assert panel in shown["layers_menu"]
    assert panel in shown["plugins_menu"]
    assert set(SAMPLES) <= shown["file_menu"]
