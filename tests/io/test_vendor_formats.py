from __future__ import annotations

import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_nstm.core.errors import InputError
from napari_nstm.io.raw import read_raw, to_axes

RNG = np.random.default_rng(0)
MODES = {"u1": 0, "i2": 1, "f4": 2, "c8": 4, "u2": 6}
SEQUENCES = {"ctz": 0, "tzc": 1, "tcz": 2}  # slowest first


def write_dv(path: Path, array, axes: str, *, order="<", extended=0, changed=()) -> Path:
    """Write DeltaVision's header, `extended` bytes and the sections; what is `changed` has (offset, kind, value)."""
    pytest.importorskip("mrc", reason="mrc, which reads .dv, is not installed")
    lengths = dict(zip(axes, array.shape, strict=True))
    header = bytearray(1024)

    def put(offset: int, kind: str, *values) -> None:
        struct.pack_into(order + kind, header, offset, *values)

    sections = int(np.prod(array.shape[:-2]))
    put(0, "4i", lengths["x"], lengths["y"], sections, MODES[array.dtype.str[1:]])
    put(40, "3f", 0.1, 0.08, 0.125)
    put(92, "i", extended)
    put(96, "h", -16224)
    put(180, "2h", lengths.get("t", 1), SEQUENCES.get(axes[:-2], 0))
    put(196, "h", lengths.get("c", 1))
    for change in changed:
        put(*change)
    path.write_bytes(header + b"e" * extended + array.astype(array.dtype.newbyteorder(order)).tobytes())
    return path


def write_mrc(path: Path, array, *, stack=False, **header) -> Path:
    mrcfile = pytest.importorskip("mrcfile", reason="mrcfile, which reads .mrc, is not installed")
    with mrcfile.new(path) as file:
        file.set_data(array)
        file.voxel_size = (800.0, 1000.0, 2500.0)  # angstrom along x, y, z
        if stack:
            file.set_image_stack()
        for name, value in header.items():
            file.header[name] = value
    return path


def czi_library():
    return pytest.importorskip("pylibCZIrw.czi", reason="pylibCZIrw, which reads .czi, is not installed")


def write_czi(path: Path, planes) -> Path:
    """Write pairs of a plane's name {"T": 0, "Z": 1} and its image; the library's writer knows T, C and Z."""
    with czi_library().create_czi(str(path)) as file:
        for at, image in planes:
            file.write(image, plane=dict(at))
        file.write_metadata("raw", scale_x=0.1e-6, scale_y=0.08e-6, scale_z=0.125e-6)  # metres
    return path


def write_sim_czi(path: Path, array, axes: str, *, skipped=(), first=0) -> Path:
    """Write every dimension of a plane (H phase, R rotation): the library's own writer leaves these out."""
    czi_library()
    import _pylibCZIrw

    writer = _pylibCZIrw.czi_writer(str(path))
    for i, index in enumerate(np.ndindex(array.shape[:-2])):
        if i in skipped:
            continue
        at = " ".join(f"{name}{k + first}" for name, k in zip(axes, index, strict=False))
        image = _pylibCZIrw.PImage(np.ascontiguousarray(array[index])[..., None], _pylibCZIrw.PixelType(1))
        assert writer.AddTile(at, image, 0, 0, 0, "")
    writer.close()
    return path


def counts(*shape: int) -> np.ndarray:
    return RNG.integers(0, 2**16, shape, dtype=np.uint16)


@pytest.mark.parametrize("axes", list(SEQUENCES))
@pytest.mark.parametrize("order", ["<", ">"])
def test_deltavision_sections_are_read_in_the_order_of_the_header(tmp_path, axes, order):
    array = counts(*({"t": 2, "c": 3, "z": 4}[name] for name in axes), 6, 5)
    path = write_dv(tmp_path / "raw.dv", array, axes + "yx", order=order, extended=2048)
    read, found, size = read_raw(path)
    np.testing.assert_array_equal(read, array)
    assert (read.dtype, read.dtype.isnative, found) == (np.uint16, True, axes + "yx")
    assert size == (0.125, 0.08, 0.1)


def test_a_deltavision_file_is_one_whatever_its_name(tmp_path):
    array = counts(15, 6, 5)
    read, axes, _ = read_raw(write_dv(tmp_path / "sim.mrc", array, "zyx"))
    np.testing.assert_array_equal(to_axes(read, axes, "*yx"), array)


def test_deltavision_floats_and_complex_values_are_read(tmp_path):
    transfer = (RNG.normal(size=(3, 6, 5)) + 1j * RNG.normal(size=(3, 6, 5))).astype(np.complex64)
    np.testing.assert_array_equal(read_raw(write_dv(tmp_path / "otf.dv", transfer, "zyx"))[0][0, 0], transfer)
    image = RNG.normal(size=(6, 5)).astype(np.float32)
    np.testing.assert_array_equal(read_raw(write_dv(tmp_path / "f.DV", image, "yx"))[0][0, 0, 0], image)


def test_an_mrc_volume_has_planes_and_a_pixel_size(tmp_path):
    volume = counts(4, 6, 5)
    read, axes, size = read_raw(write_mrc(tmp_path / "raw.mrc", volume))
    np.testing.assert_array_equal(read, volume)
    assert (read.dtype, axes, size) == (np.uint16, "zyx", (0.25, 0.1, 0.08))


def test_an_mrc_stack_is_of_images_of_any_kind(tmp_path):
    stack = RNG.normal(size=(4, 6, 5)).astype(np.float32)
    read, axes, size = read_raw(write_mrc(tmp_path / "raw.mrc", stack, stack=True))
    np.testing.assert_array_equal(read, stack)
    assert (axes, size) == ("qyx", (0.1, 0.08))
    np.testing.assert_array_equal(to_axes(read, axes, "tyx"), stack)


def test_an_mrc_file_of_one_image_or_several_volumes_is_read(tmp_path):
    image, volumes = counts(6, 5), counts(2, 4, 6, 5)
    read, axes, size = read_raw(write_mrc(tmp_path / "image.mrc", image))
    np.testing.assert_array_equal(read, image)
    assert (axes, size) == ("yx", (0.1, 0.08))
    read, axes, _ = read_raw(write_mrc(tmp_path / "volumes.mrc", volumes))
    np.testing.assert_array_equal(read, volumes)
    assert axes == "qzyx"


def test_mrc_axes_that_are_exchanged_in_the_file_are_named_so(tmp_path):
    volume = counts(4, 6, 5)
    # Columns along y, rows along z, sections along x.
    read, axes, _ = read_raw(write_mrc(tmp_path / "raw.mrc", volume, mapc=2, mapr=3, maps=1))
    assert axes == "xzy"
    np.testing.assert_array_equal(to_axes(read, axes, "*yx"), np.moveaxis(volume, (0, 1, 2), (2, 0, 1)))


def test_an_mrc_file_without_a_cell_has_no_pixel_size(tmp_path):
    path = write_mrc(tmp_path / "raw.mrc", counts(4, 6, 5), mx=0, mapc=0, mapr=0, maps=0)
    assert read_raw(path)[1:] == ("zyx", None)


def test_a_czi_gives_planes_channels_times_and_a_pixel_size(tmp_path):
    array = counts(2, 3, 4, 6, 5)
    planes = [(dict(zip("TCZ", at, strict=True)), array[at]) for at in np.ndindex(2, 3, 4)]
    read, axes, size = read_raw(write_czi(tmp_path / "raw.czi", planes[::-1]))  # in whatever order they were written
    np.testing.assert_array_equal(read, array)
    assert (read.dtype, axes, size) == (np.uint16, "tczyx", (0.125, 0.08, 0.1))


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_a_czi_of_one_plane_is_an_image_of_any_kind(tmp_path, kind):
    image = (RNG.random((6, 5)) * 255).astype(kind)
    read, axes, size = read_raw(write_czi(tmp_path / "raw.CZI", [({}, image)]))
    np.testing.assert_array_equal(read, image)
    assert (read.dtype, axes, size) == (kind, "yx", (0.08, 0.1))


def test_a_czi_of_phases_and_rotations_keeps_them_apart(tmp_path):
    array = counts(5, 3, 2, 4, 6, 7)
    path = write_sim_czi(tmp_path / "sim.czi", array, "HRTZ")
    read, axes, _ = read_raw(path)
    np.testing.assert_array_equal(read, array)
    assert axes == "qqtzyx"
    np.testing.assert_array_equal(to_axes(read, axes, "*yx"), array.reshape(120, 6, 7))
    with pytest.raises(InputError) as caught:
        to_axes(read, axes, "tyx")
    assert str(caught.value) == (
        "raw: got an array with axes qqtzyx (5x3x2x4x6x7); takes axes tyx (frame, row, column)"
    )


def test_a_czi_that_was_cut_out_of_a_longer_one_is_read(tmp_path):
    array = counts(3, 2, 6, 5)
    np.testing.assert_array_equal(read_raw(write_sim_czi(tmp_path / "a.czi", array, "HZ", first=4))[0], array)
    one = array[:1, 0]
    np.testing.assert_array_equal(read_raw(write_sim_czi(tmp_path / "b.czi", one, "T", first=4))[0], one[0])


def test_a_czi_in_colours_is_red_first_and_no_stack_of_images(tmp_path):
    blue_first = RNG.integers(0, 256, (6, 5, 3), dtype=np.uint8)
    read, axes, _ = read_raw(write_czi(tmp_path / "raw.czi", [({}, blue_first)]))
    np.testing.assert_array_equal(read, blue_first[..., ::-1])
    assert axes == "yxs"
    with pytest.raises(InputError, match="a colour image with axes yxs"):
        to_axes(read, axes, "*yx")


def test_a_czi_that_is_not_one_whole_image_is_refused(tmp_path):
    def refused(path: Path) -> str:
        with pytest.raises(InputError) as caught:
            read_raw(path)
        return str(caught.value)

    part = write_sim_czi(tmp_path / "part.czi", counts(5, 3, 6, 5), "HR", skipped=(3, 14))
    assert "2 of its 15 planes are missing" in refused(part)
    scenes = tmp_path / "scenes.czi"
    with czi_library().create_czi(str(scenes)) as file:
        for scene in range(2):
            file.write(counts(6, 5), scene=scene, location=(10 * scene, 0))
    assert "it holds 2 scenes" in refused(scenes)
    kinds = write_czi(tmp_path / "kinds.czi", [({"C": 0}, counts(6, 5)), ({"C": 1}, np.zeros((6, 5), np.uint8))])
    assert "different kinds of pixels, Gray16 and Gray8" in refused(kinds)


def damaged(folder: Path) -> dict[str, str]:
    """Files that cannot be read, and what is said of them."""
    whole = write_dv(folder / "whole.dv", counts(4, 6, 5), "zyx").read_bytes()
    (folder / "cut.dv").write_bytes(whole[:1100])
    (folder / "short.dv").write_bytes(whole[:200])
    (folder / "text.dv").write_text("no image")
    write_dv(folder / "sections.dv", counts(3, 6, 5), "zyx", changed=[(196, "h", 2)])
    write_dv(folder / "order.dv", counts(4, 6, 5), "zyx", changed=[(182, "h", 9)])
    write_dv(folder / "kind.dv", counts(4, 6, 5), "zyx", changed=[(12, "i", 3)])
    write_dv(folder / "negative.dv", counts(4, 6, 5), "zyx", changed=[(0, "i", -5)])
    whole = write_mrc(folder / "whole.mrc", counts(4, 6, 5)).read_bytes()
    (folder / "cut.mrc").write_bytes(whole[:1100])
    (folder / "empty.mrc").write_bytes(b"")
    write_mrc(folder / "mode.mrc", counts(4, 6, 5), mode=77)
    write_mrc(folder / "huge.mrc", counts(4, 6, 5), nx=2**31 - 1, ny=2**31 - 1)
    whole = write_sim_czi(folder / "whole.czi", counts(3, 6, 5), "H").read_bytes()
    (folder / "cut.czi").write_bytes(whole[: len(whole) // 2])
    (folder / "text.czi").write_text("no image")
    (folder / "empty.czi").write_bytes(b"")
    return {
        "missing.czi": "which does not exist",
        "cut.dv": "no image that can be read",
        "short.dv": "it is damaged",
        "text.dv": "neither DeltaVision's nor MRC's",
        "sections.dv": "its 3 sections are not complete: 1 times, 2 channels",
        "order.dv": "the order of its sections, 9, is not known",
        "kind.dv": "it is damaged",
        "negative.dv": "no image",
        "cut.mrc": "Expected 240 bytes in data block",
        "empty.mrc": "neither DeltaVision's nor MRC's",
        "mode.mrc": "no image that can be read",
        "huge.mrc": "no image that can be read",
        "cut.czi": "it is damaged",
        "text.czi": "it is damaged",
        "empty.czi": "it is damaged",
    }


def test_what_cannot_be_read_is_one_sentence_that_names_the_field(tmp_path, capfd):
    for name, said in damaged(tmp_path).items():
        with pytest.raises(InputError) as caught:
            read_raw(tmp_path / name, field="acquisition.otf")
        assert caught.value.field == "acquisition.otf"
        assert said in str(caught.value), name
        assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("name", "library"), [("a.dv", "mrc"), ("a.mrc", "mrcfile"), ("a.czi", "pylibCZIrw")])
def test_without_its_library_a_file_says_what_to_install(tmp_path, monkeypatch, name, library):
    header = bytearray(1024)
    header[208:212] = b"MAP " if library == "mrcfile" else bytes(4)
    header[96:98] = b"\xa0\xc0"
    (tmp_path / name).write_bytes(header)
    tifffile.imwrite(tmp_path / "a.tif", counts(4, 6, 5), photometric="minisblack")
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(InputError) as caught:
        read_raw(tmp_path / name)
    assert str(caught.value).startswith(f"raw: got {tmp_path / name}, whose reader cannot be imported (")
    assert library in str(caught.value)
    assert str(caught.value).endswith("; takes such a file after `pip install 'napari-nstm[vendor]'`")
    assert read_raw(tmp_path / "a.tif")[0].shape == (4, 6, 5)
