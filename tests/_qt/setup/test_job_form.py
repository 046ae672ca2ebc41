"""The form of a whole job: what is filled in becomes the job, and problems stand at their rows."""

import numpy as np
import pytest
from napari.components import ViewerModel
from pydantic import Field

from napari_nstm._qt.raw_layer import KEY
from napari_nstm._qt.setup.job_form import JobForm
from napari_nstm.core.errors import InputError
from napari_nstm.core.settings import ComputeSettings
from napari_nstm.run.plan import check_job

ACQUISITION = {
    "pixel_size_um": 0.5,
    "wavelength_um": 0.525,
    "na_objective": 0.25,
    "na_illumination": 0.25,
    "source_angles_deg": [90, 270, 0, 180],
}


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def form(viewer, qtbot):
    made = JobForm(viewer)
    qtbot.addWidget(made)
    yield made
    made.disconnect_viewer()


def frames(n=4, size=64):
    return np.random.default_rng(0).poisson(1000, (n, size, size)).astype(np.uint16)


def add(viewer, **more):
    return viewer.add_image(frames(), name="raw", **more)


def fill(form, **changes):
    form.acquisition.set_content({**ACQUISITION, **changes})


def test_without_frames_there_is_no_job_and_nothing_is_blamed(form, tmp_path):
    assert form.job(tmp_path / "r.zarr") is None
    assert form.acquisition.problems() == {}


def test_what_is_filled_in_is_a_job_that_can_run(form, viewer, tmp_path):
    add(viewer)
    fill(form, timestamps_ms=[0, 25, 50, 75])
    job = form.job(tmp_path / "r.zarr", preview_every_s=0.3)
    assert (job.modality, job.raw, job.output.preview_every_s) == ("dpc", "raw", 0.3)
    checked = check_job(job, form.reader()(), tmp_path)
    assert checked.frame_times_ms == (0, 25, 50, 75)
    assert checked.settings.wavelength_um == 0.525


def test_every_missing_value_is_marked(form, viewer, tmp_path):
    add(viewer)
    assert form.job(tmp_path / "r.zarr") is None
    assert {"pixel_size_um", "wavelength_um", "na_objective", "na_illumination"} <= set(form.acquisition.problems())


def test_pixel_size_comes_from_the_layer_and_goes_back(form, viewer):
    raw = add(viewer, scale=(1, 0.3, 0.3), units=("pixel", "um", "um"))
    assert form.acquisition.content()["pixel_size_um"] == pytest.approx(0.3)
    raw.scale = (1, 0.4, 0.4)
    assert form.acquisition.content()["pixel_size_um"] == pytest.approx(0.4)
    fill(form, pixel_size_um=0.5)
    assert "0.5 µm" in form.place_raw()
    np.testing.assert_allclose(raw.scale, (1, 0.5, 0.5))
    assert form.place_raw() is None


def test_a_sample_fills_the_form_in(form, viewer, tmp_path):
    known = {"kind": "raw", "modality": "dpc", "acquisition": ACQUISITION}
    add(viewer, metadata={KEY: known})
    assert form.job(tmp_path / "r.zarr").acquisition["wavelength_um"] == 0.525


def test_a_background_from_a_layer_travels_with_the_frames(form, viewer, tmp_path):
    add(viewer)
    viewer.add_image(np.full((64, 64), 1000.0), name="empty")
    fill(form, background={"kind": "image", "path": "layer: empty"})
    job = form.job(tmp_path / "r.zarr")
    read = form.reader()()
    np.testing.assert_array_equal(read.extras["background.path"], 1000.0)
    assert check_job(job, read, tmp_path).raw.extras["background.path"].shape == (64, 64)


def test_frames_are_read_again_only_when_they_changed(form, viewer):
    raw = add(viewer)
    fill(form)
    first = form.reader(fresh=False)()
    assert form.reader(fresh=False)() is first
    raw.data = frames(8)
    assert len(form.reader(fresh=False)().frames) == 8
    assert form.reader()() is not form.reader()()


def test_problems_go_to_their_rows(form, viewer):
    add(viewer)
    assert form.show_error(InputError("raw", "3 pixels that are NaN", "finite counts"))
    assert "finite counts" in form.raw.problem.text()
    assert form.show_problem("acquisition.wavelength_um", "Too long.")
    assert form.acquisition.problems()["wavelength_um"] == "Too long."
    assert form.show_problem("fit.device", "No GPU.")
    assert form.show_problem("output.times", "Too many.")
    assert not form.show_problem(None, "What?")
    form.clear_problems()
    assert form.acquisition.problems() == {}
    assert form.raw.problem.isHidden()


def test_times_of_many_frames_are_written_short(form, viewer, tmp_path):
    viewer.add_image(frames(8), name="raw")
    fill(form)
    form.acquisition.editor("timestamps_ms").setText("0, 25, ...")
    job = form.job(tmp_path / "r.zarr")
    assert tuple(job.acquisition["timestamps_ms"]) == tuple(25.0 * k for k in range(8))


# -- large data, and a part of the frames ------------------------------------------


def test_large_data_stands_last_and_closed(form, viewer, tmp_path):
    add(viewer)
    fill(form)
    assert not form.large.is_open()
    assert form.job(tmp_path / "r.zarr").compute == ComputeSettings()
    assert "compute" not in form.job(tmp_path / "r.zarr").model_fields_set  # nothing is written where nothing is said
    form.compute.editor("tile_px").setText("64")
    assert form.large.is_open()  # what counts is seen
    form.compute.editor("scheduler").setText("tcp://10.0.0.1:8786")
    job = form.job(tmp_path / "r.zarr")
    assert job.compute == ComputeSettings(tile_px=64, scheduler="tcp://10.0.0.1:8786")
    assert job.compute.in_tiles


def test_a_problem_of_tiles_opens_the_group_and_stands_there(form, viewer, tmp_path):
    add(viewer)
    fill(form)
    form.compute.editor("tile_px").setText("8")
    form.large.set_open(False)
    assert form.job(tmp_path / "r.zarr") is None
    assert form.large.is_open()
    assert "32" in form.compute.problems()["tile_px"]
    form.clear_problems()
    form.large.set_open(False)
    assert form.show_problem("compute.tile_px", "compute.tile_px: got 64 pixels; takes nothing: all is seen by all")
    assert form.large.is_open()
    assert form.compute.problems() == {"tile_px": "Takes nothing: all is seen by all; got 64 pixels."}


def test_a_part_of_the_frames_belongs_to_their_layer(form, viewer, tmp_path):
    add(viewer)
    fill(form)
    form.part.editor("frames").setText("1, 2")
    assert form.job(tmp_path / "r.zarr").frames == (1, 2)
    form.part.editor("frames").setText("1, 0")
    assert form.job(tmp_path / "r.zarr") is None
    assert list(form.part.problems()) == ["frames"]
    other = viewer.add_image(frames(6), name="other")
    form.raw.choose(other)
    assert form.job(tmp_path / "r.zarr").frames is None


# -- one image, grey or in colours ---------------------------------------------

DIFFUSERCAM = {"pixel_size_um": 6.5, "row_time_us": 27.5, "exposure_us": 500, "background": {"kind": "constant"}}


def camera_form(form, viewer, raw, psf, **more):
    """Fill the form in as a user does who has a raw image and a PSF among their layers."""
    viewer.add_image(psf, name="caustic", rgb=psf.shape[-1] in (3, 4))
    viewer.add_image(raw, name="raw", rgb=raw.shape[-1] in (3, 4))
    form.set_modality("diffusercam")
    form.raw.choose(viewer.layers["raw"])
    form.acquisition.set_content({**DIFFUSERCAM, "psf": "layer: caustic", **more})


@pytest.mark.parametrize(
    ("raw", "psf", "n"),
    [
        ((64, 72), (64, 72), 1),
        ((1, 64, 72), (64, 72), 1),
        ((3, 64, 72), (64, 72), 3),
        ((64, 72, 3), (64, 72, 3), 3),
        ((64, 72, 4), (64, 72, 4), 3),
    ],
)
def test_an_image_of_any_colours_and_its_psf_come_from_layers(form, viewer, tmp_path, raw, psf, n):
    rng = np.random.default_rng(1)
    pixels, point = (rng.poisson(100, shape).astype(np.uint16) for shape in (raw, psf))
    camera_form(form, viewer, pixels, point)
    job = form.job(tmp_path / "r.zarr")
    checked = check_job(job, form.reader()(), tmp_path)
    assert checked.raw.frames.shape == (n, 64, 72)
    colors = np.moveaxis(pixels[..., :3], -1, 0) if raw[-1] in (3, 4) else pixels.reshape(n, 64, 72)
    np.testing.assert_array_equal(checked.raw.frames, colors)
    np.testing.assert_array_equal(checked.raw.extras["psf"], point[..., :3] if psf[-1] == 4 else point)
    assert f"1 image of 64 x 72 pixels{' in 3 colours' * (n > 1)}, 0 to" in checked.summary
    assert len(checked.output_times_ms) == 24


def test_the_psf_lies_upon_its_raw_image(form, viewer):
    image = np.random.default_rng(1).poisson(100, (64, 72)).astype(np.uint16)
    camera_form(form, viewer, image[None], image)
    assert form.place_raw().startswith("raw was given pixels of 6.5 µm")
    for layer in viewer.layers:
        np.testing.assert_allclose(layer.scale[-2:], (6.5, 6.5))
        assert [str(unit) for unit in layer.units[-2:]] == ["micrometer", "micrometer"]


def test_what_is_missing_of_a_rolling_shutter_stands_at_its_row(form, viewer, tmp_path):
    image = np.random.default_rng(1).poisson(100, (64, 72)).astype(np.uint16)
    camera_form(form, viewer, image, image, row_time_us=None)
    assert form.job(tmp_path / "r.zarr") is None
    assert list(form.acquisition.problems()) == ["row_time_us"]
    assert "Needed: a time in us" in form.acquisition.problems()["row_time_us"]
    form.acquisition.editor("shutter").setCurrentText("Global")
    assert form.job(tmp_path / "r.zarr").acquisition["shutter"] == "global"
    assert form.acquisition.problems() == {}


# -- axes that a method leaves open --------------------------------------------


@pytest.fixture
def volume_form(viewer, qtbot, monkeypatch):
    """A form whose method takes any axes before y and x, of volumes."""
    from tests._qt.striped import Striped, StripedSettings

    from napari_nstm._qt.setup import job_form

    class Settings3d(StripedSettings):
        plane_spacing_um: float = Field(gt=0)

    used = Striped()
    used.Settings = Settings3d
    monkeypatch.setattr(job_form, "modality_names", lambda: ("striped",))
    monkeypatch.setattr(job_form, "modality", lambda _: used)
    made = JobForm(viewer)
    qtbot.addWidget(made)
    yield made
    made.disconnect_viewer()


def test_times_go_on_over_the_images_of_all_axes(volume_form, viewer, tmp_path):
    viewer.add_image(np.zeros((3, 5, 8, 10), np.uint16), name="raw")
    volume_form.acquisition.set_content({"pixel_size_um": 0.1, "plane_spacing_um": 0.2})
    volume_form.acquisition.editor("timestamps_ms").setText("0, 25, ...")
    job = volume_form.job(tmp_path / "r.zarr")
    assert job.acquisition["timestamps_ms"] == [25 * k for k in range(15)]
    assert job.axes is None


def test_the_distance_of_planes_comes_from_the_layer_and_goes_back(volume_form, viewer):
    labels, units = ("t", "z", "y", "x"), ("pixel", "nm", "nm", "nm")
    raw = viewer.add_image(np.zeros((3, 5, 8, 10)), axis_labels=labels, scale=(1, 300, 65, 65), units=units)
    content = volume_form.acquisition.content()
    assert content["plane_spacing_um"] == pytest.approx(0.3)
    assert content["pixel_size_um"] == pytest.approx(0.065)
    volume_form.acquisition.set_content({**content, "plane_spacing_um": 0.25})
    assert "planes 0.25 µm apart" in volume_form.place_raw()
    np.testing.assert_allclose(raw.scale, (1, 0.25, 0.065, 0.065))
    assert volume_form.place_raw() is None


def test_an_axis_that_nobody_knows_gets_no_label(volume_form, viewer):
    raw = viewer.add_image(np.zeros((30, 8, 10)))
    volume_form.acquisition.set_content({"pixel_size_um": 0.1, "plane_spacing_um": 0.2})
    assert "axes y, x" in volume_form.place_raw()
    assert raw.axis_labels == ("-3", "y", "x")
    np.testing.assert_allclose(raw.scale, (1, 0.1, 0.1))


def test_a_method_that_cannot_be_loaded_leaves_the_others(viewer, qtbot, monkeypatch):
    from napari_nstm._qt.setup import job_form
    from napari_nstm.imaging.registry import modality

    def load(name):
        if name == "broken":
            raise InputError("modality", "'broken', which cannot be loaded (No module named foo)", "a working modality")
        return modality(name)

    monkeypatch.setattr(job_form, "modality_names", lambda: ("broken", "dpc"))
    monkeypatch.setattr(job_form, "modality", load)
    made = JobForm(viewer)
    qtbot.addWidget(made)
    assert [made.method.itemData(i) for i in range(made.method.count())] == ["dpc"]
    assert "No module named foo" in made.method.toolTip()
    made.disconnect_viewer()


# -- part of the frames --------------------------------------------------------


def test_a_region_is_part_of_the_job_until_other_frames_are_chosen(form, viewer, qtbot, tmp_path):
    add(viewer)
    fill(form)
    assert form.job(tmp_path / "r.zarr").region is None
    with qtbot.waitSignal(form.changed):
        form.region = (0, 8, 32, 48)
    assert form.job(tmp_path / "r.zarr").region == (0, 8, 32, 48)
    with qtbot.assertNotEmitted(form.changed):
        form.region = (0, 8, 32, 48)
    viewer.layers["raw"].data = frames(8)  # another time of the same sample, perhaps
    assert form.region == (0, 8, 32, 48)
    form.raw.choose(viewer.add_image(frames(), name="others"))
    assert form.region is None


def test_what_is_wrong_with_a_region_is_said(form, viewer, qtbot, tmp_path):
    add(viewer)
    fill(form)
    form.region = (0, 8, 5, 48)
    heard = []
    form.region_problem.connect(heard.append)
    assert form.job(tmp_path / "r.zarr") is None
    assert "32 or more of both" in heard[-1]
    form.clear_problems()
    assert heard[-1] == ""


# -- which methods there are ---------------------------------------------------


def test_methods_stand_in_the_order_they_ask_for(viewer, qtbot, monkeypatch):
    from tests._qt.striped import Striped

    from napari_nstm._qt.setup import job_form

    def load(name):
        used = Striped()
        used.title = name
        used.menu_order = {"a": 2, "c": 1, "long": -1}.get(name, 100)
        return used

    monkeypatch.setattr(job_form, "modality_names", lambda: ("a", "b", "c", "long"))
    monkeypatch.setattr(job_form, "modality", load)
    made = JobForm(viewer)
    qtbot.addWidget(made)
    assert [made.method.itemData(i) for i in range(made.method.count())] == ["long", "c", "a", "b"]
    made.disconnect_viewer()


def test_dpc_is_chosen_before_there_are_frames(form):
    assert form.modality.name == "dpc"
