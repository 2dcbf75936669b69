"""The teacher's page: only with the key, only counts and results, and the end on its word."""

import csv
import io
import json
import re

import pytest
from listening.small_study import small_study
from starlette.testclient import TestClient

from robustaudio.listening.design.study_file import parse
from robustaudio.listening.run.headphones import beep_count
from robustaudio.listening.run.host import Host
from robustaudio.listening.run.json_lines import JsonLinesStore
from robustaudio.listening.run.sent import start
from robustaudio.listening.run.session import new_code, session_of
from robustaudio.listening.simulated_listeners import Listener
from robustaudio.listening.simulated_study import simulate
from robustaudio.listening.web import feedback, teacher_routes
from robustaudio.listening.web.listener_routes import application

QUEST = "{kind: quest, trials: 12, practice: 1, catch_every: 6}"


@pytest.fixture
def opened(tmp_path):
    rooms = Host(JsonLinesStore(tmp_path))
    return rooms, *rooms.open(small_study(procedure=QUEST))


@pytest.fixture
def ask(opened):
    rooms, room, key = opened
    client = TestClient(application(rooms))

    def call(path: str, key: str = key, told: dict | None = None):
        headers, url = {"X-Teacher": key}, f"/listen/{room.token}/{path}"
        return (
            client.get(url, headers=headers)
            if told is None
            else client.post(url, headers=headers, json=told)
        )

    return call


@pytest.mark.parametrize("path", ["pooled", "export/csv", "export/json", "export/study"])
def test_only_with_the_key(ask, path):
    assert ask(path).status_code == 200
    for key in ("", "wrong"):
        assert ask(path, key).status_code == 403
    assert (
        ask("close", "wrong", {}).status_code == ask("expire", "", {"hours": 1}).status_code == 403
    )


def test_counts_grow_and_results_come_from_who_has_finished(opened, ask):
    _, room, _ = opened
    empty = ask("pooled").json()
    assert (empty["begun"], empty["finished"], empty["results"]) == (0, 0, [])
    assert empty["remarks"] == []
    simulate(room, [Listener(-40.0), Listener(-36.0)], seed=0)
    room.store.append(start(room.token, session_of(new_code())))
    told = ask("pooled").json()
    assert (told["begun"], told["finished"], told["simulated"]) == (3, 2, 2)
    assert "2 of 3 are simulated: no people." in told["remarks"]
    (card,) = told["results"]
    assert card["name"] == "seven · white" and card["picture"].startswith("<svg")
    assert re.match(r"2 listeners\. The threshold is −\d", card["sentence"])
    assert "79.4 %" not in card["sentence"] and told["legend"].count("79.4 %") == 1
    text = json.dumps(told)
    assert not any(name in text for name in room.sessions())  # nobody can be picked out


def test_who_is_left_out_is_counted_by_reason(opened):
    _, room, _ = opened
    simulate(room, [Listener(20.0, lapse_rate=0.5)] * 12, seed=0)
    simulated, remark = teacher_routes.overview(room)["remarks"]
    assert simulated == "12 of 12 are simulated: no people."
    counts = [int(n) for n in re.findall(r"(\d+) who missed \d of \d catch trials", remark)]
    excluded = feedback.pooled(room).analysis.excluded
    assert remark.startswith("Left out: ") and sum(counts) == len(excluded) > len(counts)


def test_who_listens_without_a_wire_is_counted_and_has_it_in_the_rows(opened, ask):
    _, room, _ = opened
    simulate(room, [Listener(-40.0)], seed=0)
    code = room.begin(True)["code"]
    beeps = beep_count(room.find(code)[1].check_seed)
    room.check(code, "sound", {"beeps": beeps, "device": "wireless", "sample_rate": 48_000})
    room.check(code, "unscreened", {})
    room.check(code, "level", {"gain_db": -20})
    told = {"trial": 0, "answer": 0, "response_time_s": 1, "plays": 1, "switches": 1}
    room.answer(code, told)
    assert ask("pooled").json()["wireless"] == 1
    assert "1 listened without a wire (Bluetooth)." in ask("pooled").json()["remarks"]
    devices = [row["device"] for row in ask("export/json").json()["rows"]]
    assert devices.count("wireless") == 1 and {*devices} == {"wireless", "unknown"}
    with pytest.raises(ValueError, match="device 'pigeon' must be one of headphones, earphones, w"):
        code = room.begin(True)["code"]
        beeps = beep_count(room.find(code)[1].check_seed)
        room.check(code, "sound", {"beeps": beeps, "device": "pigeon", "sample_rate": 48_000})


def test_exports(opened, ask):
    _, room, _ = opened
    simulate(room, [Listener(-40.0)], seed=0)
    table = list(csv.DictReader(io.StringIO(ask("export/csv").text)))
    assert len(table) == ask("pooled").json()["answers"] == len(ask("export/json").json()["rows"])
    assert parse(ask("export/study").text, None).digest == room.study.digest
    assert ask("export/pdf").status_code == 404


def test_a_demonstration_hands_out_results_and_no_answers(tmp_path):
    rooms = Host(JsonLinesStore(tmp_path))
    room, key = rooms.open(small_study(procedure=QUEST), demo=True)
    simulate(room, [Listener(-40.0)], seed=0)
    client = TestClient(application(rooms), headers={"X-Teacher": key})
    for format in ("csv", "json"):
        refused = client.get(f"/listen/{room.token}/export/{format}")
        assert refused.status_code == 400 and "hands out no answers" in refused.json()["error"]
    assert client.get(f"/listen/{room.token}/export/study").status_code == 200
    told = client.get(f"/listen/{room.token}/pooled").json()
    assert told["demo"] and len(told["results"]) == 1


def test_the_end_is_the_teachers_word(opened, ask, tmp_path):
    rooms, room, _ = opened
    later = ask("expire", told={"hours": 2}).json()["expires"]
    assert later == room.expires.isoformat(timespec="minutes")
    assert ask("expire", told={"hours": "soon"}).status_code == 400
    assert ask("close", told={}).status_code == 200
    assert ask("pooled").status_code == 410 and list(tmp_path.rglob("*.jsonl")) == []
    assert rooms.store.studies() == []


def test_the_picture_of_the_link_and_of_no_other(opened, ask):
    _, room, _ = opened
    for host in ("http://127.0.0.1:7870", "https://me-space.hf.space", "https://a.org/proxy/1"):
        picture = ask(f"qr.svg?link={host}/listen/{room.token}")
        assert picture.status_code == 200 and picture.headers["content-type"] == "image/svg+xml"
    for link in ("", "https://evil.org/", f"javascript:alert(1)/listen/{room.token}",
                 f"https://a.org/listen/{room.token}/teacher"):  # fmt: skip
        assert ask(f"qr.svg?link={link}").status_code == 400
