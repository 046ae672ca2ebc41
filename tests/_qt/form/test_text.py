import pytest

from napari_nstm._qt.form.text import from_yaml, number, numbers, plain, shown, yaml_text


@pytest.mark.parametrize(
    ("text", "value"),
    [("", None), ("  ", None), ("24", 24), (" 0.525 ", 0.525), ("1e-5", 1e-5), (".5", 0.5), ("-3.", -3.0)]
    + [(wrong, wrong) for wrong in ("0,525", "half", "1_000", "nan", "inf", "1e")],
)
def test_a_number_is_read_or_stays_text(text, value):
    assert number(text) == value
    assert type(number(text)) is type(value)


@pytest.mark.parametrize(
    "text", ["90, 270, 0, 180", "90 270 0 180", "[90, 270, 0, 180]", "90;270;0;180", "90,270,0,180,"]
)
def test_numbers_may_be_separated_as_people_do(text):
    assert numbers(text) == [90, 270, 0, 180]


def test_a_list_keeps_what_is_no_number():
    assert numbers("90, left") == [90, "left"]
    assert numbers(" ") is None
    assert numbers("[]") is None


def test_one_number_may_be_no_list():
    assert numbers("24", scalar=True) == 24
    assert numbers("24,", scalar=True) == [24]
    assert numbers("24") == [24]


@pytest.mark.parametrize("dots", ["...", "…", " ...", ", ...", ",…"])
def test_a_list_goes_on_to_the_last_frame(dots):
    assert numbers("0, 25" + dots, n_frames=4) == [0, 25, 50, 75]


def test_steps_of_a_tenth_stay_so():
    assert numbers("0, 0.1, ...", n_frames=5) == [0, 0.1, 0.2, 0.3, 0.4]
    assert numbers("0, 10, 30, ...", n_frames=5) == [0, 10, 30, 50, 70]
    assert numbers("0, 10, 20, ...", n_frames=2) == [0, 10, 20]


@pytest.mark.parametrize(("text", "n_frames"), [("0, 25, ...", None), ("25, ...", 4), ("0, x, ...", 4), ("...", 4)])
def test_a_list_that_cannot_go_on_stays_text(text, n_frames):
    assert numbers(text, n_frames) == text


@pytest.mark.parametrize("value", [0.525, 1e-5, 1 / 3, 24, 90.0, -1e20, 2.5e-300, 123456789.125])
def test_a_number_is_written_so_that_it_is_read_back(value):
    assert number(plain(value)) == value
    assert ".0" not in plain(value)[-2:]


def test_values_are_written_as_people_write_them():
    assert (plain(1e-5), plain(90.0), plain(0.0001)) == ("1e-5", "90", "0.0001")
    assert (plain(float("inf")), plain(float("nan"))) == ("inf", "nan")  # no numbers that a setting takes, but shown
    assert (shown([90.0, 270]), shown([24.0]), shown(None)) == ("90, 270", "24,", "")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("rendering: exact", {"rendering": "exact"}),
        ("epochs: 3, rendering: exact", {"epochs": 3, "rendering": "exact"}),
        ("{scene_network: {kind: mlp}}", {"scene_network": {"kind": "mlp"}}),
        ("pyramid: [[1, 0.5], [0, 0.5]]", {"pyramid": [[1, 0.5], [0, 0.5]]}),
        ("[1, 2]", [1, 2]),
        ("epochs", "epochs"),
        ("a: {b", "a: {b"),
    ],
)
def test_yaml_is_read_without_braces_too(text, value):
    assert from_yaml(text) == value
    if value is not None:
        assert from_yaml(yaml_text(value)) == value
