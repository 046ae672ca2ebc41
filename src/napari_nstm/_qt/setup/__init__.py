"""Before Run: the form, the frames, a region of them, what a run would take, settings in and out."""
