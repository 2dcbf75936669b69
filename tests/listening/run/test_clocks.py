"""Clocks that jump, stop and are wrong delete nothing; what is over goes all the same."""

from datetime import UTC, datetime, timedelta

import pytest
from listening.small_study import filled

from robustaudio.cli import main
from robustaudio.listening.run.clocks import SURE_S, VERY_SURE_S, Clocks
from robustaudio.listening.run.host import Closed, Host
from robustaudio.listening.run.json_lines import JsonLinesStore
from robustaudio.listening.run.store import STUDY, Event

HOUR_S, DAY_S, YEAR_S = 3_600.0, 86_400.0, 365 * 86_400.0


class Hands:
    """Two clocks that a test turns."""

    def __init__(self) -> None:
        self.wall = self.start = datetime.now(UTC).timestamp()
        self.steady = 1_000.0
        self.clocks = Clocks(lambda: self.wall, lambda: self.steady)

    def wait(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


@pytest.fixture
def kept(tmp_path):
    """A study of 48 hours with answers, in a folder; clocks to turn; its rooms."""
    hands = Hands()
    store = JsonLinesStore(tmp_path)
    token = filled(store, 2)
    return token, hands, Host(store, clocks=hands.clocks)


@pytest.mark.parametrize("jump", [YEAR_S, -YEAR_S, 30 * DAY_S, 49 * HOUR_S, 20 * YEAR_S])
@pytest.mark.parametrize("minutes", [1, 2, 9])
def test_a_clock_that_jumps_and_comes_back_deletes_nothing(kept, jump, minutes):
    token, hands, rooms = kept
    for offset in (0.0, jump, 0.0):
        hands.wall += offset - (jump if offset == 0.0 and hands.steady > 1_500 else 0.0)
        for _ in range(10 if offset == 0.0 else minutes):
            hands.wait(60)
            assert rooms.purge() == ([], [])
            if jump > 0 or offset == 0.0:
                assert rooms.find(token)  # and nobody is sent away
    assert len(rooms.store.sessions(token)) == 2


@pytest.mark.parametrize("minutes", [1, 2, 9, 120])
def test_a_computer_that_begins_a_year_ahead_deletes_nothing(kept, minutes):
    token, hands, rooms = kept
    hands.wall += YEAR_S
    rooms = Host(rooms.store, clocks=Clocks(lambda: hands.wall, lambda: hands.steady))
    for _ in range(minutes):
        assert rooms.purge() == ([], [])
        with pytest.raises(Closed, match="this study is over; its answers are deleted within"):
            rooms.find(token)  # refused, for it may be true; and not deleted
        hands.wait(60)
    hands.wall -= YEAR_S
    for _ in range(20):
        assert rooms.purge() == ([], [])
        hands.wait(60)
    assert rooms.find(token) and len(rooms.store.sessions(token)) == 2


def test_what_has_expired_goes_within_a_minute_where_the_clocks_agree(kept):
    token, hands, rooms = kept
    while hands.wall < hands.start + 47.9 * HOUR_S:
        assert rooms.purge() == ([], [])
        hands.wait(60 * 30)
    hands.wait(60 * 30)
    assert rooms.purge() == ([token], [])


def test_after_a_sleep_and_after_a_step_it_goes_within_minutes(kept):
    """A steady clock that stops while the computer sleeps; a wrong clock that was put right."""
    token, hands, rooms = kept
    assert rooms.purge() == ([], [])
    hands.wall += 72 * HOUR_S
    waited = 0.0
    while rooms.purge() != ([token], []):
        hands.wait(60)
        waited += 60
        assert waited <= SURE_S + 60
    assert waited > SURE_S / 2


def test_a_clock_that_is_a_year_ahead_for_hours_deletes_nothing(kept):
    token, hands, rooms = kept
    assert rooms.purge() == ([], [])
    hands.wall += YEAR_S
    for _ in range(300):
        hands.wait(60)
        assert rooms.purge() == ([], [])
    for _ in range(int(VERY_SURE_S // 60)):
        hands.wait(60)
        found = rooms.purge()
    assert found == ([token], []) or not rooms.store.studies()  # in the end nobody else is right


def test_a_server_that_was_off_for_weeks_deletes_within_minutes(kept):
    token, hands, rooms = kept
    hands.wall += 30 * DAY_S
    later = Host(rooms.store, clocks=Clocks(lambda: hands.wall, lambda: hands.steady))
    for _ in range(int(SURE_S // 60)):
        assert later.purge() == ([], [])
        hands.wait(60)
    assert later.purge() == ([token], [])


def test_the_background_waits_one_interval(kept, monkeypatch):
    token, _, rooms = kept
    rooms.store.append(Event(token, STUDY, "expires", 9, {"at": "2020-01-01T00:00:00+00:00"}))
    asked = []
    monkeypatch.setattr(rooms, "purge", lambda *, by_time: asked.append(by_time))
    monkeypatch.setattr("robustaudio.listening.run.host.PURGE_S", 0.05)
    stop = rooms.keep_purging()
    while len(asked) < 3:
        pass
    stop()
    assert asked[:3] == [False, True, True]
    assert Host(rooms.store).purge(by_time=False) == ([], [])


def test_the_command_asks_whether_a_far_clock_is_right(tmp_path, capsys, monkeypatch):
    token = filled(JsonLinesStore(tmp_path), 1)
    later = datetime.now(UTC).timestamp() + YEAR_S

    class Later(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.fromtimestamp(later, tz)

    monkeypatch.setattr("robustaudio.listening.run.clocks.time.time", lambda: later)
    for module in ("run.charter", "run.purge"):
        monkeypatch.setattr(f"robustaudio.listening.{module}.datetime", Later, raising=False)
    monkeypatch.setattr("robustaudio.cli.listen.datetime", Later)
    monkeypatch.setattr(
        "robustaudio.listening.run.host.Host", lambda s: Host(s, clocks=Clocks(lambda: later))
    )
    assert main(["listen", "purge", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert f"{token}: over by this computer's clock" in told and "add --clock-is-right" in told
    assert JsonLinesStore(tmp_path).sessions(token)
    assert main(["listen", "purge", str(tmp_path), "--clock-is-right"]) == 0
    assert not list(tmp_path.rglob("*.jsonl"))


def test_a_year_is_no_time_to_wait():
    """`Clocks` reads the steady clock that goes on in sleep, where there is one."""
    clocks = Clocks()
    assert abs(clocks.now() - datetime.now(UTC).timestamp()) < 5
    assert clocks.believed(lambda: datetime.now(UTC).timestamp()) is not None
    assert timedelta(seconds=SURE_S) < timedelta(minutes=15)
