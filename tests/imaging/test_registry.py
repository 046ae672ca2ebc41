from importlib.metadata import EntryPoint

import pytest

from napari_nstm.core.errors import InputError
from napari_nstm.imaging import registry
from napari_nstm.imaging.dpc import Dpc


@pytest.fixture
def entries(monkeypatch):
    """Pretend that other packages registered modalities beside ours."""
    ours = EntryPoint("dpc", "napari_nstm.imaging.dpc:Dpc", registry.GROUP)

    def register(*others):
        installed = [ours, *(EntryPoint(name, value, registry.GROUP) for name, value in others)]
        monkeypatch.setattr(registry, "entry_points", lambda group: [e for e in installed if e.group == group])

    return register


def test_dpc_is_registered_by_the_package_itself():
    assert "dpc" in registry.modality_names()
    assert isinstance(registry.modality("dpc"), Dpc)


def test_an_unknown_modality_is_named_with_those_that_exist(entries):
    entries(("odt", "other.package:Odt"))
    with pytest.raises(InputError, match=r"^modality: got 'dcp'; takes dpc or odt$"):
        registry.modality("dcp")


def test_a_broken_package_is_named_when_asked_for_and_harms_no_other(entries):
    entries(("odt", "package_that_is_not_there:Odt"))
    assert registry.modality_names() == ("dpc", "odt")
    assert registry.modality("dpc").name == "dpc"
    with pytest.raises(InputError, match="package_that_is_not_there:Odt") as caught:
        registry.modality("odt")
    assert caught.value.field == "modality"
    assert "\n" not in str(caught.value)


def test_something_that_is_no_modality_is_refused(entries):
    entries(("odd", "collections:OrderedDict"))
    with pytest.raises(InputError, match="without name, title, Settings"):
        registry.modality("odd")


def test_nobody_takes_our_names_away(entries):
    entries(("dpc", "another.package:Dpc"))
    assert isinstance(registry.modality("dpc"), Dpc)
