"""How often one address may ask, and how many requests of it run at a time."""

import time
from types import SimpleNamespace

import apart
from gate.behind import APP, JOIN, OURS, client, held, join, slow_app
from starlette.testclient import TestClient

from robustaudio.gate import Gate, Rules, rates
from robustaudio.serving.limits import PRIVATE, Limits


def test_a_burst_is_answered_and_a_flood_is_not(monkeypatch):
    now = time.monotonic()  # for all of them: on a busy machine tokens grow meanwhile
    monkeypatch.setattr(rates, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(rates, "PATIENCE_S", 0.05)
    limits = Limits(requests=2)
    gate = Gate(APP, Rules(limits=limits))
    for address in ("203.0.113.7", "203.0.113.8"):
        for bucket in gate.rates.of(address).buckets.values():
            bucket.filled = now
    one, two = (
        TestClient(gate, "http://127.0.0.1:7860", client=(address, 1))
        for address in ("203.0.113.7", "203.0.113.8")
    )
    post = {"headers": OURS, "content": b"{}"}
    answers = [one.post(JOIN, **post) for _ in range(40)]
    assert [answer.status_code for answer in answers[:30]] == [200] * 30
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) >= 5
    assert int(refused[0].headers["retry-after"]) >= 1
    assert "too many requests came from your address" in refused[0].json()["error"]
    assert two.post(JOIN, **post).status_code == 200  # others are not held up
    for path in ("/", "/assets/x.js", "/listen/x/trial/0/0", "/gradio_api/file=/tmp/x.wav"):
        assert one.get(path).status_code == 200
    for path in ("/listen/x/pooled", "/listen/x/state", "/listen/x/result", "/listen/x/export/csv"):
        assert one.get(path).status_code == 429


def test_a_private_machine_knows_no_rate():
    ask = client(limits=PRIVATE)
    assert {ask.post(JOIN, headers=OURS, content=b"{}").status_code for _ in range(200)} == {200}


def test_so_many_at_a_time_and_the_others_wait_their_turn():
    peak: list[int] = []
    gate = Gate(slow_app(0.05, peak), Rules(limits=Limits(parallel=3)))
    assert apart.run(held(gate, ["203.0.113.7"] * 20, join)) == [200] * 20
    assert max(peak) == 3
    assert gate.rates.of("203.0.113.7").idle


def test_who_waits_too_long_is_told_and_nobody_else_waits(monkeypatch):
    monkeypatch.setattr(rates, "PATIENCE_S", 0.2)
    monkeypatch.setattr(rates, "MOST_WAITING", 5)
    gate = Gate(slow_app(0.6, []), Rules(limits=Limits(parallel=2)))
    statuses = apart.run(held(gate, ["203.0.113.7"] * 12 + ["203.0.113.8"], join))
    assert statuses.count(200) == 3 and statuses[-1] == 200 and statuses.count(429) == 10
    assert gate.rates.of("203.0.113.7").idle


def test_open_streams_are_bounded():
    gate = Gate(slow_app(0.2, []), Rules(limits=Limits(streams=4)))

    def listen(asking):
        return asking.get("/gradio_api/queue/data?session_hash=x")

    statuses = apart.run(held(gate, ["203.0.113.7"] * 6 + ["203.0.113.8"], listen))
    assert sorted(statuses) == [200] * 5 + [429] * 2 and statuses[-1] == 200
    assert apart.run(held(gate, ["203.0.113.7"], listen)) == [200]


def test_addresses_are_forgotten_and_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(rates, "REMEMBERED", 50)
    known = rates.Rates(20, 8, 4)
    known.of("busy").streams = 1
    for number in range(500):
        known.of(f"address {number}")
    assert len(known._shares) <= 51 and "busy" in known._shares
