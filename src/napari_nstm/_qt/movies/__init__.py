"""Movies: of a result, drawn for print, and of the canvas as it is shown."""
