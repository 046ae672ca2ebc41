from __future__ import annotations

import jax
import pytest


@pytest.fixture(scope="package", autouse=True)
def _compile_quickly():
    """Nothing here runs long: most of the time goes into compiling."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
