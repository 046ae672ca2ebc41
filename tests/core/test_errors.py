from __future__ import annotations

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from napari_nstm.core.errors import (
    ChildError,
    DeviceError,
    InputError,
    NstmError,
    StoreError,
    input_error_from,
    input_errors_from,
)
from napari_nstm.core.settings import Job, OutputSettings


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    width: int = Field(default=3, ge=1, le=9)
    gain: float = 1.0
    lit: bool = True
    name: str = "a"

    @field_validator("name")
    @classmethod
    def _no_b(cls, name):
        if name == "b":
            raise InputError("name", "b", "any other letter")
        if name == "c":
            raise ValueError("not c")
        return name


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    na: float = Field(gt=0)
    inner: Inner = Inner()
    angles: tuple[float, ...] = ()
    layers: list[Inner] = []

    @model_validator(mode="after")
    def _inner_fits(self):
        if self.inner.width == 7:
            raise InputError("inner.width", "7", "anything but 7")
        return self


def error_of(model, value, prefix=""):
    with pytest.raises(ValidationError) as caught:
        model.model_validate(value)
    return input_error_from(caught.value, prefix)


def test_an_input_error_is_one_line_of_three_parts():
    error = InputError("acquisition.na_objective", "-1", "a number above 0")
    assert str(error) == "acquisition.na_objective: got -1; takes a number above 0"
    assert (error.field, error.got, error.takes) == ("acquisition.na_objective", "-1", "a number above 0")


@pytest.mark.parametrize("kind", [InputError, ChildError, DeviceError, StoreError])
def test_no_error_for_the_user_is_a_runtime_error(kind):
    # superqt's workers take a RuntimeError for an abort and lose its message.
    assert issubclass(kind, NstmError)
    assert not issubclass(kind, RuntimeError)


@pytest.mark.parametrize(
    ("value", "field", "got", "takes"),
    [
        ({}, "na", "nothing", "a value (it is required)"),
        ({"na": 1, "nb": 2}, "nb", "an unknown key", "only the keys in the documentation"),
        ({"na": -0.5}, "na", "-0.5", "greater than 0"),
        ({"na": "big"}, "na", "'big'", "a number"),
        ({"na": None}, "na", "None", "a number"),
        ({"na": 1, "inner": {"width": 10}}, "inner.width", "10", "less than or equal to 9"),
        ({"na": 1, "inner": {"width": 2.5}}, "inner.width", "2.5", "a whole number"),
        ({"na": 1, "inner": {"gain": float("nan")}}, "inner.gain", "nan", "a finite number"),
        ({"na": 1, "inner": {"lit": "perhaps"}}, "inner.lit", "'perhaps'", "true or false"),
        ({"na": 1, "inner": {"name": 3}}, "inner.name", "3", "text"),
        ({"na": 1, "inner": {"depth": 1}}, "inner.depth", "an unknown key", "only the keys in the documentation"),
        ({"na": 1, "inner": 5}, "inner", "5", "a mapping of keys to values"),
        ({"na": 1, "angles": [0, "north"]}, "angles.1", "'north'", "a number"),
        ({"na": 1, "angles": 4}, "angles", "4", "a list"),
        ({"na": 1, "layers": [{}, {"width": 0}]}, "layers.1.width", "0", "greater than or equal to 1"),
        ({"na": 1, "inner": {"name": "b"}}, "inner.name", "b", "any other letter"),
        ({"na": 1, "inner": {"name": "c"}}, "inner.name", "'c'", "not c"),
        ({"na": 1, "inner": {"width": 7}}, "inner.width", "7", "anything but 7"),
    ],
)
def test_what_pydantic_found_becomes_one_line_with_its_dotted_field(value, field, got, takes):
    error = error_of(Outer, value)
    assert (error.field, error.got, error.takes) == (field, got, takes)
    prefixed = error_of(Outer, value, prefix="acquisition")
    assert prefixed.field == f"acquisition.{field}"
    assert "\n" not in str(prefixed)


def test_a_long_or_broken_input_is_shortened_to_one_line():
    error = error_of(Outer, {"na": "many\nlines of " + "x" * 500})
    assert len(error.got) == 60
    assert error.got.endswith("...")
    assert "\n" not in str(error)


def test_a_field_of_several_types_is_named_once_with_all_it_takes():
    error = error_of(OutputSettings, {"times": "noon"}, prefix="output")
    assert (error.field, error.got) == ("output.times", "'noon'")
    assert error.takes == "a whole number, or a list"
    inside = error_of(OutputSettings, {"times": [0, "noon"]}, prefix="output")
    assert (inside.field, inside.got, inside.takes) == ("output.times.1", "'noon'", "a number")


def test_a_job_that_is_no_mapping_is_an_error_of_the_job():
    error = error_of(Job, [1, 2])
    assert error.field == "job"
    assert error.takes == "a mapping of keys to values"


def test_every_field_at_fault_is_named_once():
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate({"na": -1, "inner": {"width": 10, "name": "b"}, "angles": [0, "north", "south"], "x": 1})
    found = {error.field: error.takes for error in input_errors_from(caught.value, "acquisition")}
    assert found == {
        "acquisition.na": "greater than 0",
        "acquisition.inner.width": "less than or equal to 9",
        "acquisition.inner.name": "any other letter",
        "acquisition.angles.1": "a number",
        "acquisition.angles.2": "a number",
        "acquisition.x": "only the keys in the documentation",
    }
    with pytest.raises(ValidationError) as caught:
        OutputSettings.model_validate({"times": "noon", "checkpoint_every_s": 0})
    assert [error.field for error in input_errors_from(caught.value)] == ["times", "checkpoint_every_s"]
