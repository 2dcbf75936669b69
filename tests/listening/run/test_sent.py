"""What a browser sends is checked before it is stored."""

import pytest
from listening.over_http import HOW, Listener
from listening.small_study import small_study


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"answer": 2}, "answer 2 must be a whole number from 0 to 1"),
        ({"answer": "A"}, "answer 'A' must be a whole number"),
        ({"answer": None}, "answer None must be"),
        ({"answer": 0, "plays": -1}, "plays -1 must be a number from 0"),
        ({"answer": 0, "response_time_s": float("1e9")}, "response_time_s"),
        ({"answer": 0, "switches": "many"}, "switches 'many' must be a number"),
    ],
)
def test_an_answer_that_cannot_be_is_refused(listener, told, message):
    listener.begin()
    refused = listener.post("answer", trial=0, **{**HOW, **told})
    assert refused.status_code == 400 and message in refused.json()["error"]
    assert listener.session.responses == ()


def test_the_screening_is_asked_until_it_is_passed_or_left(rooms):
    room, _ = rooms.open(small_study(screening="huggins"))
    listener = Listener(rooms, room.token)
    assert listener.begin()["step"] == "screening"  # its level is not asked for yet
    screening = listener.session.screening
    right = [screening.right(question) for question in range(6)]
    assert listener.get("check/screening/0").status_code == 200
    wrong = listener.post("screening", answers=[(r + 1) % 3 for r in right]).json()
    assert (wrong["step"], wrong["attempts"]) == ("screening", 1)
    assert listener.session.screening != screening  # other questions
    assert listener.post("screening", answers=[0]).status_code == 400
    assert listener.post("unscreened").json()["step"] == "level"
    checks = listener.session.checks
    assert (checks.unscreened, checks.passed) == (True, False)
    passing = Listener(rooms, room.token)
    passing.begin()
    right = [passing.session.screening.right(question) for question in range(6)]
    assert passing.post("screening", answers=right).json()["step"] == "level"
