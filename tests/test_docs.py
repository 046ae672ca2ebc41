"""The documentation says what the program does: its tables, jobs, commands, signs and Python examples."""

import importlib.util
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import yaml

from napari_nstm.cli import main
from napari_nstm.core.settings import (
    EncodingSettings,
    FitRequest,
    FitSettings,
    Job,
    NetworkSettings,
    OutputSettings,
)
from napari_nstm.imaging.dpc import DpcSettings
from napari_nstm.imaging.dpc.optics import Optics, transfer_functions

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def make_tables():
    spec = importlib.util.spec_from_file_location("make_tables", ROOT / "docs" / "make_tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# -- tables --------------------------------------------------------------------


@by_page
def test_tables_are_those_of_the_models(page, make_tables):
    text = page.read_text(encoding="utf-8")
    assert make_tables.filled(text) == text, "run: python docs/make_tables.py"


def test_every_table_stands_on_a_page(make_tables):
    pages = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    for name, table in make_tables.all_tables().items():
        assert table in pages, name


@pytest.mark.parametrize(
    "model", [DpcSettings, EncodingSettings, FitRequest, FitSettings, Job, NetworkSettings, OutputSettings]
)
def test_every_setting_is_described(model):
    for name, field in model.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name


def test_a_table_says_bounds_defaults_and_units(make_tables):
    rows = make_tables.settings_table(DpcSettings).splitlines()
    (padding,) = (row for row in rows if "`max_displacement_px`" in row)
    assert "| px | whole number, 1 to 4,096 | `24` |" in padding
    (wavelength,) = (row for row in rows if "`wavelength_um`" in row)
    assert "| µm | number, over 0, up to 100 | required |" in wavelength


# -- what pages show -----------------------------------------------------------


@by_page
def test_jobs_are_valid(page):
    for block in blocks(page, "yaml"):
        content = yaml.safe_load(block)
        if "modality" in content:
            DpcSettings.model_validate(Job.model_validate(content).acquisition)
        elif "fit" in content:
            FitRequest.model_validate(content["fit"])


def said_commands(page):
    text = page.read_text(encoding="utf-8")
    code = [line.removeprefix("$ ") for block in blocks(page, r"(?:console|text|bash)") for line in block.splitlines()]
    code += re.findall(r"`([^`\n]+)`", text)
    for line in code:
        found = re.match(r"(?:.*\bbin/|.*: {2})?napari-nstm ((?:[a-z]+ ?).*)", line)
        if found:
            yield shlex.split(found[1])


@by_page
def test_commands_and_their_options_exist(page, capsys):
    for command, *words in said_commands(page):
        assert main([command, "--help"]) == 0, command
        usage = capsys.readouterr().out
        for option in (word.partition("=")[0] for word in words if word.startswith("--")):
            assert option in usage, f"{command} {option}"


def test_pages_say_commands():
    assert sum(len(list(said_commands(page))) for page in PAGES) > 20


@by_page
def test_links_and_pictures_exist(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_committed_pictures_stay_small():
    sizes = [path.stat().st_size for path in (ROOT / "docs" / "images").iterdir()]
    assert sum(sizes) < 1_500_000


@pytest.mark.parametrize(("angle", "toward"), [(0, (0, 1)), (90, (1, 0)), (180, (0, -1)), (270, (-1, 0))])
def test_the_dark_flank_of_a_phase_bump_is_away_from_the_lit_half(angle, toward):
    optics = Optics(wavelength_um=0.525, na_objective=0.25, na_illumination=0.25, angles_deg=(angle,))
    n, radius = 96, 20
    y, x = np.mgrid[:n, :n] - n // 2
    bump = 0.5 / (1 + np.exp((np.hypot(y, x) - radius) / 1.5))
    phase_transfer = transfer_functions(optics, (n, n), 0.454).phase[0]
    contrast = np.fft.ifft2(1j * phase_transfer * np.fft.fft2(bump)).real
    lit_flank = contrast[n // 2 + radius * toward[0], n // 2 + radius * toward[1]]
    other_flank = contrast[n // 2 - radius * toward[0], n // 2 - radius * toward[1]]
    assert other_flank < -0.05 < 0.05 < lit_flank


# -- Python --------------------------------------------------------------------


@pytest.fixture
def acquisition(tmp_path, monkeypatch):
    """The working folder, with the frames and the job that the examples speak of; the job is a short one."""
    monkeypatch.chdir(tmp_path)
    assert main(["simulate", "dpc", "--size", "64", "--displacement", "3", "--out", "."]) == 0
    job = yaml.safe_load(Path("job.yml").read_text())
    job["fit"] = {"epochs": 10}
    Path("job.yml").write_text(yaml.safe_dump(job))
    return tmp_path


def run_examples(page, names):
    for block in blocks(page, "python"):
        code = compile(block, page.name, "exec")
        exec(code, names)
    return names


def test_python_examples_run(acquisition, capsys):
    names = run_examples(ROOT / "docs" / "python.md", {})
    assert names["phase"].shape == (4, 64, 64)
    assert names["conventional"].shape == (2, 64, 64)
    assert names["motion_um"].shape == (4, 2, 64, 64)
    assert names["result"].status == "finished"
    assert names["scene"].shape == names["moved_um"].shape == (2, 64, 64)
    assert np.shape(names["path_um"]) == (16, 2, 2)
    assert not np.any(names["path_um"][0])
    assert Path("movie.gif").stat().st_size > 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("raw got 2 frames and takes")


def test_examples_of_results_and_readme_run(acquisition, capsys):
    readme, results = ROOT / "README.md", ROOT / "docs" / "results.md"
    names = run_examples(readme, {})
    assert names["scene"].shape == (2, 64, 64)
    assert names["event"].result.status == "finished"
    names = run_examples(results, {})
    assert names["phase"].shape == (4, 64, 64)
    assert names["times_ms"] == [0, 25, 50, 75]
    np.testing.assert_array_equal(names["phase"], names["result"].reconstruction[:, 1])
