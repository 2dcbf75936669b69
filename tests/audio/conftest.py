"""A clip that most tests of sound files begin with."""

import pytest
from audio.refused import SEVEN

from robustaudio.audio.clip import Clip


@pytest.fixture(scope="module")
def seven() -> Clip:
    return Clip.load(SEVEN)
