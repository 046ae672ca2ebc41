"""Files: raw readers, the result store, exports and movies."""
