"""Fair shares: whose run is next, how many may wait, and who is dropped."""

import pytest

from robustaudio.serving.limits import PRIVATE, Limits, Visitor
from robustaudio.serving.streams import Streams
from robustaudio.serving.turns import REMEMBERED
from robustaudio.ui.long_runs import GONE_S, MOST_WAITING, YOUNG_S, Place, Shares


@pytest.fixture
def now():
    return [100.0]


def visitor(name: str) -> Visitor:
    """ "a1" is session 1 of the address a."""
    return Visitor(name, name[0])


def shares_of(now, limits: Limits | None = None, **options) -> Shares:
    return Shares(limits or Limits(waiting=99, address_waiting=99), clock=lambda: now[0], **options)


def order_of(shares: Shares, places: dict[str, Place]) -> list[str]:
    """The names in the order in which they are granted, one run after the other."""
    order, left = [], dict(places)
    while left:
        name = next(name for name, place in left.items() if shares.granted(place))
        order.append(name)
        shares.leave(left.pop(name))
    return order


def test_addresses_take_turns_then_their_sessions_then_who_came_first(now):
    shares = shares_of(now, slots=1)
    names = ["a1", "a1'", "a1''", "a2", "a2'", "b1", "b1'", "c1"]
    places = {name: shares.join(visitor(name.rstrip("'"))) for name in names}
    # a1 began at once: it came first
    expected = ["a1", "b1", "c1", "a2", "b1'", "a1'", "a2'", "a1''"]
    assert order_of(shares, places) == expected


def test_one_address_never_holds_every_slot(now):
    shares = shares_of(now, slots=2)
    many = [shares.join(visitor(f"a{n}")) for n in range(5)]
    assert [shares.granted(place) for place in many] == [True, False, False, False, False]
    other = shares.join(visitor("b1"))
    assert shares.granted(other) and not shares.granted(many[1])
    shares.leave(many[0])
    assert shares.granted(many[1]) and not shares.granted(many[2])


def test_on_a_private_machine_one_address_may_hold_all(now):
    shares = shares_of(now, PRIVATE, slots=2)
    places = [shares.join(visitor("a1")) for _ in range(30)]
    assert sum(map(shares.granted, places)) == 2


def test_who_comes_back_at_once_does_not_overtake_who_waits(now):
    shares = shares_of(now, slots=1)
    first, waiting = shares.join(visitor("a1")), shares.join(visitor("b1"))
    assert shares.granted(first)
    again = shares.join(visitor("a1"))
    shares.leave(first)
    assert not shares.granted(again) and shares.granted(waiting)
    third = shares.join(visitor("b1"))
    shares.leave(waiting)
    assert not shares.granted(third) and shares.granted(again)


@pytest.mark.parametrize(
    "names, limits, words",
    [
        (["a1"] * 3, Limits(), "2 of your runs wait for their turn already"),
        ([f"a{n}" for n in range(5)], Limits(address_waiting=4), "4 runs from your network"),
        (
            [f"{chr(200 + n)}1" for n in range(MOST_WAITING + 1)],
            Limits(),
            f"{MOST_WAITING} runs wait",
        ),
    ],
)
def test_who_waits_too_often_is_told_in_one_sentence(now, names, limits, words):
    shares = shares_of(now, limits, slots=1)
    shares.granted(shares.join(visitor("z1")))  # the slot
    for name in names[:-1]:
        shares.join(visitor(name))
    with pytest.raises(ValueError, match=words):
        shares.join(visitor(names[-1]))
    shares.join(visitor("y1")) if len(names) < MOST_WAITING else None  # the others may


def test_running_ones_do_not_count_as_waiting(now):
    shares = shares_of(now, Limits())
    places = [shares.join(visitor("a1")) for _ in range(3)]
    assert [shares.granted(place) for place in places] == [True, False, False]


def test_a_run_of_an_old_clip_makes_room_at_once(now):
    shares, old = shares_of(now, Limits(), slots=1), [False]
    running = shares.join(visitor("b1"))
    waiting = [shares.join(visitor("a1"), lambda: old[0]) for _ in range(2)]
    old[0] = True
    newest = shares.join(visitor("a1"))
    assert all(map(shares.dropped, waiting)) and not shares.dropped(newest)
    shares.leave(running)
    assert shares.granted(newest) and not any(map(shares.granted, waiting))


def test_a_run_begins_when_its_page_listens_and_ends_when_it_has_gone(now):
    streams = Streams(lambda: now[0])
    shares = shares_of(now, streams=streams, slots=1)
    place = shares.join(visitor("a1"))
    assert not shares.granted(place) and not shares.dropped(place)
    now[0] += GONE_S - 1
    assert not shares.granted(place) and not shares.dropped(place)
    streams.enter("a1")
    assert shares.granted(place)
    now[0] += 1000
    assert not shares.dropped(place)
    streams.leave("a1")
    now[0] += GONE_S - 1
    assert not shares.dropped(place)
    now[0] += 2
    assert shares.dropped(place)


def test_a_page_that_never_listens_is_dropped_and_stands_in_nobodys_way(now):
    streams = Streams(lambda: now[0])
    shares = shares_of(now, streams=streams, slots=2)
    hostile = [shares.join(visitor(f"a{n}")) for n in range(16)]
    streams.enter("b1")
    place = shares.join(visitor("b1"))
    assert shares.granted(place) and not any(map(shares.granted, hostile))
    now[0] += GONE_S + 1
    assert all(map(shares.dropped, hostile))


def test_who_waits_is_told_how_many_are_before_and_how_long(now):
    shares = shares_of(now, slots=2)
    places = [shares.join(visitor(f"{name}1")) for name in "abcde"]
    assert [shares.granted(place) for place in places[:3]] == [True, True, False]
    assert shares.ahead(places[2]) == (0, None)  # nothing is known yet
    now[0] += 20
    shares.leave(places[0])
    assert shares.usual_s == 20
    assert shares.granted(places[2])
    now[0] += 5
    before, wait_s = shares.ahead(places[3])
    assert before == 0 and wait_s == 0  # b has run longer than usual: any moment
    before, wait_s = shares.ahead(places[4])
    assert before == 1 and wait_s == 15


def test_the_wait_counts_what_one_address_may_hold(now):
    shares = shares_of(now, slots=2)
    shares.usual_s = 10.0
    places = [shares.join(visitor("a1")) for _ in range(4)]
    assert shares.granted(places[0])
    assert [shares.ahead(place) for place in places[1:]] == [(0, 10.0), (1, 20.0), (2, 30.0)]


def test_leaving_twice_is_leaving_once_and_turns_are_not_remembered_for_ever(now):
    shares = shares_of(now, slots=1)
    for number in range(2 * REMEMBERED):
        place = shares.join(Visitor(str(number), str(number)))
        assert shares.granted(place)
        shares.leave(place)
        shares.leave(place)
    assert len(shares._served._last) <= REMEMBERED and not shares._places


def test_runs_whose_pages_do_not_listen_are_not_before_anybody(now):
    streams = Streams(clock=lambda: now[0])
    shares = shares_of(now, slots=1, streams=streams)
    for session in ("a1", "a2", "c1"):
        streams.enter(session)
    shares.join(visitor("a1"))
    shares.join(visitor("b1"))  # nobody listens
    waits, last = shares.join(visitor("a2")), shares.join(visitor("c1"))
    assert shares.ahead(last)[0] == 0 and shares.ahead(waits)[0] == 1


def test_a_run_that_has_computed_for_long_gives_way_to_a_new_one_of_another_address(now):
    shares = shares_of(now, slots=3)
    old = shares.join(visitor("a1"))
    assert shares.granted(old) and not shares.gives_way(old)
    now[0] += YOUNG_S + 1
    assert not shares.gives_way(old)  # nobody else is there
    new = shares.join(visitor("b1"))
    assert shares.granted(new) and shares.gives_way(old) and not shares.gives_way(new)
    now[0] += YOUNG_S + 1
    assert not shares.gives_way(old) and not shares.gives_way(new)


def test_on_a_private_machine_runs_of_one_address_do_not_give_way(now):
    shares = shares_of(now, PRIVATE, slots=2)
    old = shares.join(visitor("a1"))
    now[0] += YOUNG_S + 1
    assert shares.granted(shares.join(visitor("a2"))) and not shares.gives_way(old)
