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
    ComputeSettings,
    EncodingSettings,
    FitRequest,
    FitSettings,
    Job,
    NetworkSettings,
    OutputSettings,
)
from napari_nstm.imaging.diffusercam.settings import (
    ConstantBackground,
    CornerBackground,
    DiffuserCamSettings,
    FistaTv,
    ImageBackground,
    StaticOnly,
)
from napari_nstm.imaging.diffusercam.shutter import row_starts
from napari_nstm.imaging.dpc import DpcSettings
from napari_nstm.imaging.dpc.optics import Optics, transfer_functions
from napari_nstm.imaging.registry import modality
from napari_nstm.imaging.sim import Sim3dSettings, SimSettings
from napari_nstm.imaging.sim.choices import OTF_KINDS, PATTERN_KINDS, TIMING_KINDS
from napari_nstm.imaging.sim.layout import sim_layout
from napari_nstm.imaging.sim.optics import given_vectors, stripes

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
    "model",
    [
        DpcSettings,
        SimSettings,
        Sim3dSettings,
        *PATTERN_KINDS.values(),
        *OTF_KINDS.values(),
        *TIMING_KINDS.values(),
        DiffuserCamSettings,
        CornerBackground,
        ConstantBackground,
        ImageBackground,
        StaticOnly,
        FistaTv,
        ComputeSettings,
        EncodingSettings,
        FitRequest,
        FitSettings,
        Job,
        NetworkSettings,
        OutputSettings,
    ],
)
def test_every_setting_is_described(model):
    for name, field in model.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name


def test_tables_of_a_volume_and_of_kinds_say_what_is_their_own(make_tables):
    tables = make_tables.all_tables()
    assert "`plane_spacing_um`" in tables["sim3d"]
    assert "`n_beams`" not in tables["sim3d"]
    assert "`n_beams` |  | `3`, `2` | `3` |" in tables["sim"]
    assert "| `pattern` |  | one of the kinds below | `{kind: estimate}` |" in tables["sim"]
    assert "| `ky_per_um` | 1/µm | list of numbers | required |" in tables["sim-patterns"]


def test_a_table_says_bounds_defaults_and_units(make_tables):
    rows = make_tables.settings_table(DpcSettings).splitlines()
    (padding,) = (row for row in rows if "`max_displacement_px`" in row)
    assert "| px | whole number, 1 to 4,096 | `24` |" in padding
    (wavelength,) = (row for row in rows if "`wavelength_um`" in row)
    assert "| µm | number, over 0, up to 100 | required |" in wavelength


def test_tables_of_a_camera_say_its_units_and_kinds(make_tables):
    tables = make_tables.all_tables()
    assert "| `row_time_us` | µs | number, over 0, up to 1,000,000 | none |" in tables["diffusercam"]
    assert "| `background` |  | one of the kinds below | `{kind: corner}` |" in tables["diffusercam"]
    assert "| `psf_value` | counts | number | none |" in tables["diffusercam-backgrounds"]
    assert "| `scene_network: output` | `softplus` | `elu` |" in tables["diffusercam-presets"]


SMALLEST_CAMERA = {"pixel_size_um": 6.5, "psf": "psf.tif", "row_time_us": 27.52, "exposure_us": 1320}
SMALLEST_SIM = {
    "pixel_size_um": 0.065,
    "plane_spacing_um": 0.15,
    "wavelength_um": 0.515,
    "excitation_wavelength_um": 0.488,
    "na_objective": 1.4,
}


# -- what pages show -----------------------------------------------------------


@by_page
def test_jobs_are_valid(page):
    for block in blocks(page, "yaml"):
        content = yaml.safe_load(block)
        if "modality" in content:
            job = Job.model_validate(content)
            modality(job.modality).Settings.model_validate(job.acquisition)
        elif "fit" in content:
            FitRequest.model_validate(content["fit"])
        else:
            is_camera = page.name == "diffusercam.md"
            model, smallest = (DiffuserCamSettings, SMALLEST_CAMERA) if is_camera else (Sim3dSettings, SMALLEST_SIM)
            assert content.keys() <= model.model_fields.keys()
            model.model_validate({**smallest, **content})


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
        group = words[:1] if command == "tiles" else []
        assert main([command, *group, "--help"]) == 0, command
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


# -- conventions of SIM: what the page says in words ---------------------------


@pytest.fixture
def striped():
    """Return the light of a page's stripes on a lattice of raw pixels, and its pixel size."""
    settings = SimSettings.model_validate(
        {
            **{name: value for name, value in SMALLEST_SIM.items() if name != "plane_spacing_um"},
            "n_orientations": 1,
            "pattern": {"kind": "lines", "line_spacing_um": [0.42], "angles_deg": [30]},
        }
    )
    (vector,) = given_vectors(settings)
    y, x = (np.arange(n) - n // 2 for n in (41, 60))

    def light(phase_rad, depths=(1, 0.5, 0.2), along_um=0.0):
        """Light at every pixel, all of them moved by a distance along an angle of 30 degrees."""
        dy, dx = along_um * np.sin(np.radians(30)), along_um * np.cos(np.radians(30))
        pixel = settings.pixel_size_um
        return stripes(vector, phase_rad, np.asarray(depths), pixel * y[:, None] + dy, pixel * x + dx)

    return light


def test_stripes_at_phase_0_are_brightest_at_the_middle_pixel(striped):
    light = striped(0.0)
    assert np.unravel_index(light.argmax(), light.shape) == (41 // 2, 60 // 2)


def test_stripes_repeat_after_their_period_along_their_angle(striped):
    np.testing.assert_allclose(striped(0.7, along_um=0.42), striped(0.7), atol=1e-9)
    assert np.abs(striped(0.7, along_um=0.21) - striped(0.7)).max() > 0.5
    # Order 2 alone has half the period.
    np.testing.assert_allclose(striped(0.7, (1, 0, 0.2), along_um=0.21), striped(0.7, (1, 0, 0.2)), atol=1e-9)


def test_lines_move_against_the_vector_as_the_phase_grows(striped):
    quarter = np.pi / 2
    # What was at a point is now a quarter of the period back.
    np.testing.assert_allclose(striped(quarter, along_um=-0.42 / 4), striped(0.0), atol=1e-9)


def test_the_opposite_vector_and_phase_are_the_same_stripes():
    y, x = np.mgrid[:5, :7] / 20
    depths = np.array([1, 0.5, 0.2])
    vector = np.array([2.1, 1.1])
    np.testing.assert_allclose(stripes(-vector, -0.7, depths, y, x), stripes(vector, 0.7, depths, y, x))


@pytest.mark.parametrize(("pixel_um", "enlarge"), [(0.065, 1.5), (0.08, 2.0)])
def test_the_result_samples_the_frames_field_from_its_first_pixel_on(pixel_um, enlarge):
    settings = SimSettings.model_validate(
        {**{k: v for k, v in SMALLEST_SIM.items() if k != "plane_spacing_um"}, "pixel_size_um": pixel_um}
    )
    layout = sim_layout((64, 96), settings)
    assert layout.enlarge == pytest.approx(enlarge)
    assert layout.scene.shape == (64 * enlarge, 96 * enlarge)


# -- conventions of DiffuserCam ------------------------------------------------


def camera(**changes):
    return DiffuserCamSettings.model_validate({**SMALLEST_CAMERA, **changes})


def test_halves_meet_where_the_page_says():
    assert row_starts(61, camera()).argmax() == 30
    assert row_starts(61, camera(shutter_shift_rows=10)).argmax() == 40
    assert row_starts(61, camera(shutter="dual_outward", shutter_shift_rows=10)).argmin() == 40
    starts = row_starts(61, camera(shutter_shift_rows=10))
    assert starts[0] < starts[-1]  # the edge that is further away begins earlier
    assert starts[39] == starts[41]
    assert row_starts(61, camera(shutter="single")).argmin() == 0
    assert row_starts(61, camera(shutter="single_reversed")).argmin() == 60


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


def test_examples_of_sim_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    simulated = "simulate sim --target filaments --size 64 --displacement 3 --option stripes=found --out filaments"
    assert main([*simulated.split(), "--option", "acquisitions=2"]) == 0
    job = yaml.safe_load(Path("filaments/job.yml").read_text())
    job["fit"] = {"epochs": 5}
    Path("filaments/job.yml").write_text(yaml.safe_dump(job))
    assert main(["reconstruct", "filaments/job.yml"]) == 0
    said = capsys.readouterr().out
    page = (ROOT / "docs" / "sim.md").read_text(encoding="utf-8")
    for line in re.findall(r"^Note: ([^\d\n]*)", page, re.MULTILINE):
        assert f"Note: {line}" in said, line

    names = run_examples(ROOT / "docs" / "sim.md", {})
    # Two acquisitions of three orientations: four windows, one orientation apart.
    assert len(names["windows"].times_ms) == 4
    assert names["windows"].images.shape == (4, 1, 96, 96)
    assert names["nearest"].shape == (1, 96, 96)
    assert names["stored"].comparison_names == ("conventional", "widefield")
    kept = yaml.safe_load(Path("filaments/result.zarr/job.yml").read_text())["acquisition"]
    assert kept["pattern"]["kind"] == "vectors"
    assert len(kept["phases_rad"]) == 30


def test_examples_of_diffusercam_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    page = ROOT / "docs" / "diffusercam.md"
    simulated = "simulate diffusercam --motion wave --displacement 6 --size 80 --out hand"
    assert main(simulated.split()) == 0
    job = yaml.safe_load(Path("hand/job.yml").read_text())
    (asked,) = (block for block in map(yaml.safe_load, blocks(page, "yaml")) if "compare_with" in block)
    job["acquisition"]["compare_with"] = {**asked["compare_with"], "n_iterations": 2}
    job["fit"] = {"epochs": 5}
    Path("hand/job.yml").write_text(yaml.safe_dump(job))
    assert main(["reconstruct", "hand/job.yml"]) == 0

    names = run_examples(page, {})
    assert names["movie"].shape[0] == len(names["stored"].times_ms) == 24
    assert names["still"].shape == (1, 1, *names["movie"].shape[1:])
    assert names["stored"].comparison_names == ("conventional", "fista_tv")

    # Sentences that the page explains are those that are said.
    said = " ".join(page.read_text(encoding="utf-8").split())
    for changes in ({"exposure_us": 30000}, {"row_time_us": None}, {"shutter": "single", "shutter_shift_rows": 3}):
        job["acquisition"] = {**DiffuserCamSettings.model_validate(job["acquisition"]).model_dump(), **changes}
        Path("hand/job.yml").write_text(yaml.safe_dump(job))
        capsys.readouterr()
        assert main(["reconstruct", "hand/job.yml", "--overwrite"]) == 2
        sentence = capsys.readouterr().err.partition("napari-nstm: ")[2]
        assert sentence.partition(" (")[0].partition("; takes")[0].strip() in said
        job["acquisition"] = {**job["acquisition"], **{"exposure_us": 1320, "row_time_us": 110.08}}


def test_examples_of_results_and_readme_run(acquisition, capsys):
    readme, results = ROOT / "README.md", ROOT / "docs" / "results.md"
    names = run_examples(readme, {})
    assert names["scene"].shape == (2, 64, 64)
    assert names["event"].result.status == "finished"
    names = run_examples(results, {})
    assert names["phase"].shape == (4, 64, 64)
    assert names["times_ms"] == [0, 25, 50, 75]
    np.testing.assert_array_equal(names["phase"], names["result"].reconstruction[:, 1])
    names = run_examples(ROOT / "docs" / "trajectories.md", {})
    assert names["tracks"].positions_um.shape == (2, 4, 2)
    assert np.loadtxt("tracks.csv", delimiter=",", skiprows=1).shape == (8, 6)
