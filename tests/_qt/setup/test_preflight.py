"""What a run will do is said before it, and what helps where the memory will not do."""

from pathlib import Path

import psutil
import pytest
from qtpy.QtWidgets import QLabel

from napari_nstm._qt.form.collapsible import Collapsible
from napari_nstm._qt.setup.preflight import PreflightCard
from napari_nstm.core.events import Prepared
from napari_nstm.core.settings import Job

GB = 1_000_000_000


@pytest.fixture
def card(qtbot):
    made = PreflightCard()
    qtbot.addWidget(made)
    return made


def prepared(needed=80_000_000, free=24 * GB, device="CPU, 2 cores", **more):
    known = {"axes": "frame, y, x", "n_frames": 4, "shape": (256, 192), "duration_ms": 75.0}
    known |= {"expected_s": 4.2, "n_steps": 300, **more}
    return Prepared("r", "DPC: 4 frames, 0 to 75 ms.", device, needed, free, **known)


def job(region=None, images_per_step=None, compute=None, **acquisition):
    return Job(
        modality="dpc",
        raw=str(Path("raw.tif")),
        region=region,
        acquisition={"pixel_size_um": 0.5, **acquisition},
        fit={"images_per_step": images_per_step},
        compute=compute or {},
    )


def said(card):
    return {name: label.text() for name, label in card.values.items()}


def offered(card):
    return [b.text() for b in _buttons(card) if b.isVisibleTo(card)]


def _buttons(card):
    return card.tiles_button, card.region_button, card.batch_button, card.cpu_button


def notices(card):
    return [label.text() for label in card.findChildren(QLabel) if label.text().startswith("Notice")]


def test_what_was_understood(card):
    card.show_outlook(prepared(), job(), [])
    assert said(card) == {
        "Frames": "4 of 256 × 192 px (128 × 96 µm)",
        "Axes": "frame, y, x",
        "Duration": "75 ms",
        "Region": "the whole field",
        "Time": "about 4 s",
        "Device": "CPU, 2 cores",
        "Tiles": "",
        "Memory": "80 MB of 24.0 GB free",
    }
    assert not card.values["Tiles"].isVisibleTo(card)
    assert offered(card) == []
    assert "Memory 80 MB of 24.0 GB free" in card.accessibleDescription()
    assert card.values["Frames"].toolTip() == "DPC: 4 frames, 0 to 75 ms."


def test_a_region_and_the_order_of_images(card):
    card.show_outlook(prepared(shape=(64, 64)), job((100, 50, 64, 64), image_order="phase, orientation"), [])
    assert said(card)["Frames"] == "4 of 64 × 64 px (32 × 32 µm)"
    assert said(card)["Region"] == "a part of it"
    assert "Rows 100–164, columns 50–114" in card.values["Region"].toolTip()
    assert "phase, orientation" in card.values["Axes"].toolTip()


def test_what_is_not_known_is_not_made_up(card):
    unknown = Prepared("r", "4 frames.", "CPU", 80_000_000, None, None, 300, axes="y, x", n_frames=1, shape=(8, 8))
    card.show_outlook(unknown, Job(modality="dpc", raw="raw.tif", acquisition={}), [])
    assert said(card)["Memory"] == "80 MB"
    assert said(card)["Time"] == "not known"
    assert said(card)["Frames"] == "1 of 8 × 8 px"
    assert not card.bar.isVisibleTo(card)
    assert offered(card) == []


def test_the_bar_shows_the_share_of_memory(card):
    card.show_outlook(prepared(6 * GB), job(), [])
    assert card.bar.value() == pytest.approx(card.bar.maximum() / 4)
    card.show_outlook(prepared(60 * GB), job(), [])
    assert card.bar.value() == card.bar.maximum()


def test_where_the_memory_will_not_do_there_are_ways_out(card, qtbot):
    card.show_outlook(prepared(30 * GB, fits_px=(160, 128)), job(), [])
    assert said(card)["Memory"] == "⚠ 30.0 GB of 24.0 GB free"
    assert offered(card) == ["Region of 160 × 128 px", "Fewer images at a time"]
    with qtbot.waitSignal(card.region_asked) as asked:
        card.region_button.click()
    assert asked.args == [160, 128]
    with qtbot.waitSignal(card.batch_asked):
        card.batch_button.click()
    card.show_outlook(prepared(), job(), [])
    assert offered(card) == []


def test_only_what_helps_is_offered(card, monkeypatch, qtbot):
    def free(n_bytes):
        monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"available": n_bytes}))

    gpu = "GPU 0, NVIDIA H100 80GB HBM3"
    free(100 * GB)
    card.show_outlook(prepared(90 * GB, 78 * GB, gpu), job(images_per_step=1), [])
    assert offered(card) == ["Use the CPU"]
    with qtbot.waitSignal(card.cpu_asked):
        card.cpu_button.click()
    card.show_outlook(prepared(90 * GB, 78 * GB, n_frames=1), job(), [])  # on the CPU already, one image
    assert offered(card) == []
    free(60 * GB)
    card.show_outlook(prepared(90 * GB, 78 * GB, gpu), job(), [])
    assert offered(card) == ["Fewer images at a time"]


def test_tiles_are_a_way_out_where_they_help(card, qtbot):
    card.show_outlook(prepared(30 * GB, fits_px=(160, 128)), job(), [], tile_px=96)
    assert offered(card) == ["Tiles of 96 px", "Region of 160 × 128 px", "Fewer images at a time"]
    with qtbot.waitSignal(card.tiles_asked) as asked:
        card.tiles_button.click()
    assert asked.args == [96]
    card.show_outlook(prepared(30 * GB, fits_px=(160, 128)), job(), [], tile_px=None)
    assert "Tiles of 96 px" not in offered(card)
    card.show_outlook(prepared(), job(), [], tile_px=96)  # the memory will do
    assert offered(card) == []


def test_a_job_in_tiles_says_how_many_and_what_one_needs(card):
    outlook = prepared(n_tiles=16, tile_px=(64, 48), n_steps=4800, expected_s=600.0)
    card.show_outlook(outlook, job(compute={"tile_px": 64}), [])
    assert said(card)["Tiles"] == "16 of 64 × 48 px, one after another"
    assert said(card)["Time"] == "about 10 min"
    assert "of all tiles" in card.values["Time"].toolTip()
    assert card.values["Memory"].toolTip().startswith("Estimated need of one tile, of the 24.0 GB")
    assert "Tiles 16 of 64 × 48 px" in card.accessibleDescription()
    card.show_outlook(prepared(n_tiles=1, tile_px=(256, 192)), job(compute={"tile_px": 512}), [])
    assert said(card)["Tiles"] == "1 of 256 × 192 px: the whole"


def test_of_a_cluster_it_is_not_known_how_much_memory_is_free(card):
    compute = {"tile_px": 64, "scheduler": "tcp://10.0.0.1:8786"}
    card.show_outlook(prepared(30 * GB, n_tiles=16, tile_px=(64, 64)), job(compute=compute), [])
    assert said(card)["Tiles"] == "16 of 64 × 64 px, on a Dask cluster"
    assert "tcp://10.0.0.1:8786" in card.values["Tiles"].toolTip()
    assert said(card)["Memory"] == "30.0 GB of one tile"
    assert offered(card) == []
    assert not card.bar.isVisibleTo(card)


def test_two_notices_are_read_more_are_opened(card):
    card.show_outlook(prepared(), job(), ["Notice 1.", "Notice 2."])
    assert notices(card) == ["Notice 1.", "Notice 2."]
    card.show_outlook(prepared(), job(), ["Notice 1.", "Notice 2.", "Notice 3."])
    group = card.findChildren(Collapsible)[-1]
    assert not group.is_open()
    group.set_open()
    card.show_outlook(prepared(), job(), ["Notice 1.", "Notice 2.", "Notice 3."])
    assert card.findChildren(Collapsible)[-1].is_open()  # the same ones stay as they are


def test_a_state_takes_the_place_of_the_facts(card):
    card.show_outlook(prepared(30 * GB, fits_px=(64, 64)), job(), ["Notice."])
    card.say("Choose raw frames first.")
    assert card.state.isVisibleTo(card)
    assert not card.values["Frames"].isVisibleTo(card)
    assert offered(card) == []
    assert card.accessibleDescription() == "Choose raw frames first."
    card.show_outlook(None, job(), [])
    assert card.state.text() == "Looking at the frames…"
    card.say("")
    assert card.isHidden()


def test_it_is_low_and_narrow_enough_for_a_laptop(card, qtbot):
    device = "GPU 0, a name that is much longer than the panel is wide"
    card.show_outlook(prepared(device=device, shape=(2048, 2048), axes="frame, plane, y, x"), job(), [])
    card.resize(320, card.sizeHint().height())
    card.show()
    qtbot.waitExposed(card)
    assert card.width() == 320
    assert card.height() <= 125
    assert device in card.values["Device"].toolTip()
