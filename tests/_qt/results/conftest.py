"""What the panels about a result are tested with."""

import pytest


@pytest.fixture
def viewer():
    """A viewer without a window, which tells the times of its layers."""
    from napari.components import ViewerModel

    from napari_nstm._qt.layers.time_text import show_times

    made = ViewerModel()
    show_times(made)
    return made


@pytest.fixture
def view(viewer, qtbot):
    """What shows views alone."""
    from napari_nstm._qt.drawing_view import DrawingView

    made = DrawingView(viewer)
    qtbot.addWidget(made)
    yield made
    made.disconnect_viewer()
