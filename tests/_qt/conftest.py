"""What a window needs: a Qt binding and, on Linux, a screen."""

import os
import sys
from importlib.util import find_spec

import pytest


@pytest.fixture(autouse=True, scope="session")
def _screen():
    if not any(find_spec(name) for name in ("PyQt6", "PySide6")):
        pytest.skip("no Qt binding is installed")
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        pytest.fail('no screen: run under xvfb-run -a -s "-screen 0 1600x1000x24"', pytrace=False)
