"""Charts of results: what is drawn is what is said."""

import re

import pytest
from listening.small_study import small_study

from robustaudio.listening.run.host import Host
from robustaudio.listening.run.store import MemoryStore
from robustaudio.listening.simulated_listeners import Listener
from robustaudio.listening.simulated_study import simulate
from robustaudio.listening.web import teacher_routes


def overview_of(procedure: str, listeners: list[Listener]) -> dict:
    room, _ = Host(MemoryStore()).open(small_study(procedure=procedure))
    simulate(room, listeners, seed=0)
    return teacher_routes.overview(room)


@pytest.mark.parametrize("kind", ["mushra", "impairment"])
def test_ratings_have_one_card_per_condition_with_all_levels_in_its_picture(kind):
    procedure = f"{{kind: {kind}, levels_db: [-10, -50, -30], practice: 0, repeats: 2}}"
    (card,) = overview_of(procedure, [Listener(-30.0)] * 5)["results"]
    assert card["name"] == "seven · white"
    named = re.findall(r'text-anchor="end">([^<]*[eB])<', card["picture"])
    assert named == ["hidden reference"] * (kind == "mushra") + ["−50 dB", "−30 dB", "−10 dB"]
    assert card["picture"].count("<circle") == len(named)
    (name,) = re.findall(r'aria-label="([^"]+)"', card["picture"])
    told = [re.search(rf"{of} (−?[\d.]+)( \(−?[\d.]+ to −?[\d.]+\))?", name) for of in named]
    assert all(f">{found[1]}</text>" in card["picture"] for found in told) and told[-1][2]
    assert "-" not in name
