"""The package as a whole: what importing it loads, its version, what its wheel holds."""

import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

import napari_nstm

ROOT = Path(__file__).parents[1]
JAX = {"jax", "jaxlib", "flax", "optax"}
QT = {"napari", "magicgui", "superqt", "qtpy", "PyQt5", "PyQt6", "PySide2", "PySide6"}

# Imports a module, or a room with all its modules, and says which top-level packages that loaded.
_LOADED_BY = """
import importlib, pkgutil, sys
room = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(getattr(room, "__path__", []) if sys.argv[2] == "whole" else [], sys.argv[1] + "."):
    importlib.import_module(module.name)
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def output_of(*command: str) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def loaded_by(name: str, *, whole: bool) -> set[str]:
    return set(output_of(sys.executable, "-c", _LOADED_BY, name, "whole" if whole else "alone").split())


def test_importing_the_package_loads_neither_jax_nor_qt_nor_napari():
    loaded = loaded_by("napari_nstm", whole=False)
    assert "napari_nstm" in loaded
    assert not loaded & (JAX | QT)


@pytest.mark.parametrize("room", ["core", "io", "analysis", "phantoms"])
def test_rooms_that_show_results_load_no_jax(room):
    assert not loaded_by(f"napari_nstm.{room}", whole=True) & (JAX | QT)


@pytest.mark.parametrize("module", ["imaging.registry", "imaging.dpc", "cli"])
def test_settings_and_command_start_without_jax(module):
    assert not loaded_by(f"napari_nstm.{module}", whole=False) & (JAX | QT)


@pytest.mark.parametrize("room", ["imaging", "model", "fit", "run"])
def test_rooms_that_fit_load_neither_qt_nor_napari(room):
    assert not loaded_by(f"napari_nstm.{room}", whole=True) & QT


def test_version_is_one_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert napari_nstm.__version__ == version("napari-nstm") == project["version"] == citation["version"]


def test_every_public_name_can_be_had():
    for name in napari_nstm.__all__:
        assert getattr(napari_nstm, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'reconstrict'"):
        _ = napari_nstm.reconstrict


def test_manifest_at_the_top_is_a_link_into_the_package():
    # The other way round, a checkout without symbolic links builds a wheel with a broken manifest.
    link = ROOT / "napari.yaml"
    assert link.is_symlink()
    assert link.readlink() == Path("src/napari_nstm/napari.yaml")
    assert not (ROOT / "src/napari_nstm/napari.yaml").is_symlink()


def test_wheel_holds_manifest_type_marker_and_pages(tmp_path):
    output_of(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path))
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        manifest = yaml.safe_load(archive.read("napari_nstm/napari.yaml"))
    assert manifest["name"] == "napari-nstm"
    assert "napari_nstm/py.typed" in names
    pages = {f"napari_nstm/docs/{page.name}" for page in (ROOT / "docs").glob("*.md")}
    assert pages <= names, "the panel's links open them"
    assert {name.partition("/")[0] for name in names} == {
        "napari_nstm",
        f"napari_nstm-{napari_nstm.__version__}.dist-info",
    }


def test_ci_runs_the_second_command_of_the_readme():
    blocks = (ROOT / "README.md").read_text(encoding="utf-8").split("```bash\n")[1:3]
    install, test = (block.partition("\n```")[0] for block in blocks)
    assert install.endswith("napari-nstm demo")
    assert test in (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()
