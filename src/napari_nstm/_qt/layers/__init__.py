"""What a result looks like in napari: images, arrows of motion, and the time in words."""
