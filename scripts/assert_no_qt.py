"""Fails where a Qt binding can be imported: the headless environment must have none."""

import sys
from importlib.util import find_spec

found = [name for name in ("PyQt5", "PyQt6", "PySide2", "PySide6") if find_spec(name)]
if found:
    sys.exit(f"The headless environment holds {', '.join(found)}; something that was installed depends on Qt.")
