import pytest
from pydantic import ValidationError

from napari_nstm._qt.form.words import sentence, with_labels
from napari_nstm.core.errors import InputError, input_errors_from
from napari_nstm.core.settings import FitRequest
from napari_nstm.imaging.dpc.settings import DpcSettings


@pytest.mark.parametrize(
    ("model", "name", "value", "words"),
    [
        (DpcSettings, "na_objective", -1, "Got -1; needs a number over 0."),
        (DpcSettings, "na_objective", 2, "Got 2; needs a number up to 1.7."),
        (DpcSettings, "na_objective", "x", "Got 'x'; needs a number."),
        (FitRequest, "seed", -1, "Got -1; needs a number from 0 up."),
        (FitRequest, "seed", 2.5, "Got 2.5; needs a whole number."),
        (FitRequest, "device", "tpu", "Got 'tpu'; needs auto, cpu, gpu or gpu:1."),
        (FitRequest, "advanced", "epochs", "Got 'epochs'; needs name: value, or several with commas between."),
    ],
)
def test_a_problem_is_a_sentence(model, name, value, words):
    with pytest.raises(ValidationError) as caught:
        model.model_validate({name: value})
    said = {error.field: sentence(error) for error in input_errors_from(caught.value)}
    assert said[name] == words


def test_what_is_missing_is_asked_for():
    with pytest.raises(ValidationError) as caught:
        DpcSettings.model_validate({"source": "measured"})
    said = {error.field: sentence(error) for error in input_errors_from(caught.value)}
    assert said["wavelength_um"] == "A value is needed here."
    assert said["source_patterns"] == "A value is needed here."
    assert sentence(InputError("a", "nothing", "three angles")) == "Needed: three angles."


def test_settings_are_called_by_their_labels():
    labels = {"na_objective": "Objective NA", "na_objective_inner": "Inner NA", "source": "Light source"}
    assert with_labels("less than na_objective (0.2)", labels) == "less than “Objective NA” (0.2)"
    assert with_labels("na_objective_inner, source", labels) == "“Inner NA”, source"
    assert with_labels("na_objective", {}) == "na_objective"
