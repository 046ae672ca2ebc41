"""Forms and panels: the only room that knows napari and Qt."""
