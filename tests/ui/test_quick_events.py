"""Quick events of several addresses, over HTTP: one address floods, and the others are served."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest
import soundfile
from gradio.queueing import EventQueue, Queue
from ui.visiting import API, Visiting

from robustaudio.classifiers.classifier import Classifier
from robustaudio.serving.limits import PRIVATE, Limits
from robustaudio.serving.streams import Streams
from robustaudio.serving.turns import ASKER, REMEMBERED, Served, Turns
from robustaudio.ui.launch import launch
from robustaudio.ui.long_runs import GONE_S
from robustaudio.ui.quick_events import ADDRESS_RUNS, QUICK_RUNS, Quick, share_quick

DECODING_S = 1.0  # of a file of the hostile address
SLACK_S = 2.0  # a machine may be busy
HOSTILE, OTHER, HASTY = "127.0.0.2", "127.0.0.3", "127.0.0.4"
ENDED = "process_completed"
DIGITS = [
    "digits-balanced", "digits-cnn", "digits-cnn-ibp", "digits-cnn-noise", "digits-inaudible",
    "digits-lstm", "digits-lstm-ibp",
]  # fmt: skip


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    load = Classifier.load_clip

    def slowly(self, path, within=None):
        """As long for the hostile address as two minutes of eight channels take."""
        if ASKER.get() == HOSTILE or "hostile" in path.name:
            time.sleep(DECODING_S)
        return load(self, path, within=within)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        patch.setenv("ROBUSTAUDIO_LISTENING", "memory:")
        patch.setattr(Classifier, "load_clip", slowly)
        page = launch(block=False, quiet=True, limits=Limits())
        yield page.local_url
        page.close()


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sounds")

    def made(name: str):
        path = folder / name
        soundfile.write(path, 0.3 * np.sin(np.arange(16_000) * 0.1), 16_000)
        return path

    return made


def put(visitor: Visiting, path) -> dict:
    """The file on the server."""
    files = {"files": (path.name, path.read_bytes())}
    told = visitor.http.post(f"/{API}/upload", files=files).raise_for_status().json()
    return {"path": told[0], "orig_name": path.name, "meta": {"_type": "gradio.FileData"}}


def join(visitor: Visiting, file: dict, session: str = ""):
    """Asks the server to take the file, and does not listen."""
    handler = visitor.handler("upload", "upload")
    asked = {
        "data": visitor.data(handler, {"upload": file}), "fn_index": handler["id"],
        "session_hash": session or visitor.session, "trigger_id": handler["targets"][0][0],
    }  # fmt: skip
    return visitor.http.post(f"/{API}/queue/join", json=asked)


def taken_s(visitor: Visiting, file: dict) -> float:
    started = time.monotonic()
    join(visitor, file).raise_for_status()
    ended = [*visitor.messages()][-1]
    assert ended["msg"] == ENDED and ended["success"], ended
    return time.monotonic() - started


def predicted_s(visitor: Visiting, classifier: str) -> float:
    """The bundled clip that the page begins with, decoded for that classifier."""
    handler = next(
        one
        for one in visitor.config["dependencies"]
        if one["backend_fn"] and not one["queue"]
        and [visitor.components[n]["props"].get("elem_id") for n in one["outputs"]]
        == ["prediction", "card"]
    )  # fmt: skip
    asked = {
        "data": visitor.data(handler, {"classifier": classifier}), "fn_index": handler["id"],
        "session_hash": visitor.session,
    }  # fmt: skip
    started = time.monotonic()
    visitor.http.post(f"/{API}/run/predict", json=asked).raise_for_status()
    return time.monotonic() - started


def test_a_flood_of_uploads_from_one_address_keeps_nobody_waiting(url, sound):
    other, hostile = Visiting(url, OTHER), Visiting(url, HOSTILE)
    small, large = put(other, sound("small.wav")), put(hostile, sound("hostile.wav"))
    idle_s = taken_s(other, small)
    answers = [join(hostile, large, f"hostile{number}") for number in range(30)]
    flooded_s = taken_s(other, small)
    assert flooded_s <= idle_s + SLACK_S, (idle_s, flooded_s)
    refused = {a.status_code: a.json().get("detail") for a in answers if a.status_code != 200}
    assert [*refused] == [429] and "wait for their turn already" in refused[429]


def test_one_session_has_a_bounded_number_of_clicks_waiting(url, sound):
    hasty = Visiting(url, HASTY)
    large = put(hasty, sound("hostile.wav"))
    answers = [join(hasty, large) for _ in range(8)]
    assert [answer.status_code for answer in answers].count(429) >= 2
    assert "of your clicks wait already" in answers[-1].json()["detail"]
    assert [m["success"] for m in hasty.messages() if m["msg"] == ENDED].count(True) >= 4


def test_decodings_outside_the_queue_take_turns_by_address(url):
    other, many = Visiting(url, OTHER), [Visiting(url, HOSTILE) for _ in DIGITS]
    with ThreadPoolExecutor(len(many)) as pool:
        waits = [pool.submit(predicted_s, *one) for one in zip(many, DIGITS, strict=True)]
        time.sleep(DECODING_S / 2)
        flooded_s = predicted_s(other, "digits-strong")
    assert flooded_s <= SLACK_S, flooded_s
    assert max(wait.result() for wait in waits) >= len(DIGITS) * DECODING_S


# --- whose turn it is ----------------------------------------------------------------------------


def event(session: str, line: str = "upload") -> Any:
    """Of the first letter's address."""
    return SimpleNamespace(
        session_hash=session, concurrency_id=line, _id=f"{session} {line}",
        request=SimpleNamespace(client=SimpleNamespace(host=session[0])),
        fn=SimpleNamespace(concurrency_limit="default"), enqueue_time=time.monotonic(),
    )  # fmt: skip


def queue_of(lines: dict, limits: Limits | None = None, streams: Streams | None = None) -> Quick:
    blocks: Any = None
    queue = Quick(Queue(True, 40, 1, None, blocks), limits or Limits(), streams or Streams())
    queue.active_jobs = [None] * 40
    for name, (limit, events) in lines.items():
        line = queue.event_queue_per_concurrency_id[name] = EventQueue(name, limit)
        line.queue = events
    return queue


def begun(queue: Quick) -> list[str]:
    """Sessions in the order in which their events begin; none of them ends."""
    order = []
    while chosen := queue.get_events():
        events, _, line = chosen
        queue.active_jobs[queue.active_jobs.index(None)] = events
        queue.event_queue_per_concurrency_id[line].current_concurrency += 1
        order.append(events[0].session_hash)
    return order


def ended(queue: Quick, session: str) -> None:
    (job,) = [job for job in queue.active_jobs if job and job[0].session_hash == session]
    queue.active_jobs[queue.active_jobs.index(job)] = None
    queue.event_queue_per_concurrency_id[job[0].concurrency_id].current_concurrency -= 1


def test_addresses_take_turns_then_their_sessions_then_who_came_first():
    waiting = ["a1", "a1", "a2", "b1", "b1", "c1"]
    queue = queue_of({"upload": (1, [*map(event, waiting)])})
    order = []
    while one := begun(queue):
        order += one
        ended(queue, *one)
    assert order == ["a1", "b1", "c1", "a2", "b1", "a1"]


def test_one_address_holds_one_of_the_two_places_of_a_handler_and_few_of_all():
    queue = queue_of({"upload": (QUICK_RUNS, [event("a1"), event("a2"), event("b1")])})
    assert begun(queue) == ["a1", "b1"]
    ended(queue, "b1")
    assert begun(queue) == []
    ended(queue, "a1")
    assert begun(queue) == ["a2"]
    lines = {f"line{n}": (QUICK_RUNS, [event(f"a{n}", f"line{n}")]) for n in range(9)}
    assert len(begun(queue_of(lines))) == ADDRESS_RUNS


def test_heavy_runs_begin_at_once():
    heavy = [event(f"a{n}", "compute") for n in range(9)]
    for one in heavy:
        one.fn.concurrency_limit = None
    queue = queue_of({"compute": (None, heavy), "upload": (QUICK_RUNS, [event("a1")])})
    assert len(begun(queue)) == 10


def test_events_of_a_page_that_has_gone_are_dropped():
    streams = Streams()
    streams.enter("a2")
    busy, gone, listens = event("b1"), event("a1"), event("a2")
    for one in (gone, listens):
        one.enqueue_time -= GONE_S + 1
    queue = queue_of({"upload": (1, [busy, gone, listens])}, streams=streams)
    queue.event_ids_to_events = {gone._id: gone, listens._id: listens}
    assert begun(queue) == ["b1"]
    assert gone not in queue.event_queue_per_concurrency_id["upload"].queue
    assert [*queue.event_ids_to_events] == [listens._id]


def test_a_message_to_a_session_that_was_forgotten_ends_nothing():
    message: Any = None
    queue_of({}).send_message(event("a1"), message)


def test_on_a_private_machine_gradio_s_own_queue_stays():
    for limits, fair in ((PRIVATE, False), (Limits(), True)):
        with gr.Blocks() as page:
            gr.Button()
        share_quick(page, limits, Streams())
        assert isinstance(page._queue, Quick) is fair


def order_of(turns: Turns, askers: list[str]) -> tuple[list[str], int]:
    """Whose turn it was, one after the other; the most that held a place together."""
    order, most, running, lock = [], 0, 0, threading.Lock()

    def hold(asker: str) -> None:
        nonlocal most, running
        ASKER.set(asker)
        with turns.turn():
            with lock:
                order.append(asker)
                running += 1
                most = max(most, running)
            time.sleep(0.05)
            with lock:
                running -= 1

    threads = [threading.Thread(target=hold, args=(asker,)) for asker in askers]
    for thread in threads:
        thread.start()
        time.sleep(0.002)
    for thread in threads:
        thread.join()
    return order, most


def test_a_lock_takes_turns_and_one_asker_holds_one_place():
    assert order_of(Turns(1), ["a", "a", "a", "b", "c", "b"])[0] == ["a", "b", "c", "a", "b", "a"]
    assert order_of(Turns(2), ["a"] * 5)[1] == 1
    assert order_of(Turns(2), ["a"] * 4 + ["b"] * 4)[1] == 2
    assert order_of(Turns(2), [""] * 5)[1] == 2  # nobody shares a private machine


def test_a_lock_is_free_again_after_a_failure():
    turns = Turns(1)
    for _ in range(2):
        with pytest.raises(ValueError), turns.turn():
            raise ValueError


def test_only_the_last_turns_are_remembered():
    served = Served()
    for number in range(REMEMBERED + 1):
        served.note(number)
    assert served.last(0) == -1 and served.last(1) == 1 and served.last(REMEMBERED) == REMEMBERED
