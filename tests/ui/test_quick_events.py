"""Quick events of several addresses, over HTTP: one address floods, and the others are served."""

import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest
import soundfile
from gradio.queueing import EventQueue, Queue
from visiting import Refused, Tab

from robustaudio.classifiers.classifier import Classifier
from robustaudio.serving.limits import PRIVATE, Limits
from robustaudio.serving.streams import Streams
from robustaudio.serving.turns import ASKER
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


def refused(visitor: Tab, file: dict) -> Refused | None:
    """What the server says where it does not take the file; nobody listens for what it does."""
    visitor.put["upload"] = file
    try:
        visitor.join(visitor.event("upload", "upload"))
    except Refused as refusal:
        return refusal
    return None


def taken_s(visitor: Tab, file: dict) -> float:
    started = time.monotonic()
    visitor.put["upload"] = file
    visitor.click("upload", "upload")
    return time.monotonic() - started


def predicted_s(visitor: Tab, classifier: str) -> float:
    """The bundled clip that the page begins with, decoded for that classifier."""
    visitor.put["classifier"] = classifier
    started = time.monotonic()
    visitor.heard()
    return time.monotonic() - started


def test_a_flood_of_uploads_from_one_address_keeps_nobody_waiting(url, sound):
    other, hostile = Tab(url, OTHER), Tab(url, HOSTILE)
    small, large = other.upload(sound("small.wav")), hostile.upload(sound("hostile.wav"))
    idle_s = taken_s(other, small)
    refusals = []
    for number in range(30):
        hostile.session = f"hostile{number}"
        refusals.append(refused(hostile, large))
    flooded_s = taken_s(other, small)
    assert flooded_s <= idle_s + SLACK_S, (idle_s, flooded_s)
    sentences = {refusal.status: refusal.sentence for refusal in refusals if refusal}
    assert [*sentences] == [429] and "wait for their turn already" in sentences[429]


def test_one_session_has_a_bounded_number_of_clicks_waiting(url, sound):
    hasty = Tab(url, HASTY)
    large = hasty.upload(sound("hostile.wav"))
    refusals = [refused(hasty, large) for _ in range(8)]
    assert [refusal.status for refusal in refusals if refusal].count(429) >= 2
    assert refusals[-1] and "of your clicks wait already" in refusals[-1].sentence
    assert [m["success"] for m in hasty.messages() if m["msg"] == ENDED].count(True) >= 4


def test_decodings_outside_the_queue_take_turns_by_address(url):
    other, many = Tab(url, OTHER), [Tab(url, HOSTILE) for _ in DIGITS]
    for visitor in (other, *many):
        assert visitor.config  # read before the clock runs
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
