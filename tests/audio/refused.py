"""A bundled clip, and the sentence that refuses a file."""

from pathlib import Path

import pytest

from robustaudio.audio.clip import Clip

SEVEN = Path(__file__).parents[2] / "assets/clips/seven-slt.wav"


def refusal(path: Path) -> str:
    with pytest.raises(ValueError, match=r"^[^\n]+\.$") as caught:
        Clip.load(path)
    return str(caught.value)
