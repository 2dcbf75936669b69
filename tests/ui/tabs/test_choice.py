"""The top of the page: the clip that it shows is the one it has."""

from pathlib import Path

import pytest

from robustaudio.ui.launch import load_services
from robustaudio.ui.sources import UPLOAD, NoClip, Source
from robustaudio.ui.tabs.choice import resumed


@pytest.fixture(scope="module")
def services():
    return load_services()


def test_a_page_whose_clip_the_server_lost_gets_no_other_one(services):
    first, name = services.start("digits")[1], "9 · flite slt"
    listed = Source(name, services.clips["digits"][name], "digits")
    own = Source(UPLOAD, Path("my four.wav"), "digits", uploaded=True, visit="v")
    for held in (own, listed):  # nothing was lost
        assert resumed(services, held, first, held.shown) is held
        assert resumed(services, held, first, first.shown) is held  # the page is a moment behind
    assert resumed(services, first, first, listed.shown) == listed
    lost = resumed(services, first, first, own.shown)
    with pytest.raises(NoClip, match="no longer on the server; upload it again"):
        services.open(lost, "digits-cnn")
    for nonsense in (None, "x", [1], {}, {"task": [], "name": {}}, {"task": "digits", "name": "x"}):
        assert resumed(services, first, first, nonsense) is first
