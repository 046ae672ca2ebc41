"""Fields that are divided."""

import pytest
from tests.toy import moving_blobs


@pytest.fixture(scope="module")
def field():
    """A wide field, (t, 48, 96): two tiles side by side."""
    return moving_blobs(96, 3.0)[0][:, 24:72]
