"""Every handler of the page, asked with values that no browser sends, answers in a sentence."""

import json
import random
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest

from robustaudio.paths import HOME
from robustaudio.ui.errors import UNFIT, is_sentence, without_folders
from robustaudio.ui.launch import launch
from robustaudio.ui.widgets.player import Player

FILE = {"_type": "gradio.FileData"}


SOUND = [{"key": "A", "pcm": "AAAAAA=="}, {"key": "B", "pcm": "AAAAAA=="}]


HOSTILE = [
    None, "", "'A'", "\0", "../../etc/passwd", "/etc/passwd", -1, 0, 1e308, 10**40, float("nan"),
    True, [], {}, [1, 2], [[[[]]]], "x" * 10_000, {"path": "/etc/passwd"}, {"path": 5},
    {"path": "/tmp/gradio/x.wav", "meta": FILE}, {"path": f"{HOME}/app.py", "meta": FILE},
    {"token": "abcdef", "key": None}, {"tracks": []}, {"tracks": [{"key": "A"}]},
    {"tracks": SOUND, "sample_rate": "x"}, {"tracks": SOUND, "sample_rate": -8_000},
    {"tracks": [{**one, "pcm": "A"} for one in SOUND], "sample_rate": 8_000},
    {"task": [], "name": {}, "uploaded": "yes"}, '["a", "b", 3]', "[" * 5_000,
]  # fmt: skip


HEAVY = "run_in_turn"  # each answer of it may begin a computation


RAW = re.compile(
    r"Traceback|\w+Error\b|Error\(|Exception|<class|object at 0x|NoneType|has no attribute|"
    r"invalid literal|unhashable|not supported between|^'\w*'\.?$|Errno"
)


@pytest.fixture(scope="module")
def page() -> Iterator[gr.Blocks]:
    page = launch(block=False, quiet=True)
    yield page
    page.close(verbose=False)


@pytest.fixture
def post(page) -> Iterator[Callable[[str, Any], httpx.Response]]:
    with httpx.Client(base_url=f"{page.local_url}gradio_api/", timeout=60) as client:
        yield lambda route, body: client.post(
            route, content=json.dumps(body), headers={"content-type": "application/json"}
        )


def handlers(page: gr.Blocks) -> list:
    return [one for one in page.fns.values() if one.fn is not None]


def default(component: Any) -> Any:
    return None if isinstance(component, gr.State) else component.value


def cases(handler: Any, rng: random.Random) -> list:
    """Wrong lengths and types of the whole, then one hostile value at a time."""
    good = [default(one) for one in handler.inputs]
    inner = [n for n, one in enumerate(handler.inputs) if not isinstance(one, gr.State)]
    few = HOSTILE if handler.name != HEAVY else rng.sample(HOSTILE, 6)
    every = [[], [*good, 1], None, "x", *([one] * len(good) for one in few)]
    for place in inner if len(inner) < 12 else rng.sample(inner, 12):
        some = few if len(inner) < 3 else rng.sample(few, 3)
        every += [[*good[:place], one, *good[place + 1 :]] for one in some]
    return every


def check_words(words: Any) -> None:
    """A sentence of ours, without a library's words and without a place on this machine."""
    assert isinstance(words, str) and is_sentence(words), words
    assert not RAW.search(words), words
    assert without_folders(words) == words, words
    for folder in (tempfile.gettempdir(), str(HOME), str(Path.home())):
        assert f"{folder}/" not in words, words


def test_every_handler_answers_a_direct_call_in_a_sentence(page, post):
    rng, statuses = random.Random(0), set()
    for handler in handlers(page):
        for data in cases(handler, rng):
            body = {"data": data, "fn_index": handler._id, "session_hash": "hostile"}
            answer = post("run/predict", body)
            statuses.add(answer.status_code)
            if answer.status_code != 200:
                told = answer.json()
                check_words(told.get("error", told.get("detail")))
    assert statuses == {200, 404, 413, 422, 500}  # 404: of a handler that waits for its turn
    quick = next(one for one in handlers(page) if not one.queue)
    assert post("run/predict", {"data": [], "fn_index": quick._id}).status_code == 500
    assert httpx.get(page.local_url).status_code == 200  # and all goes on


def test_every_handler_answers_in_the_queue_in_a_sentence(page, post):
    rng, asked = random.Random(1), {}
    for number, handler in enumerate(one for one in handlers(page) if one.queue):
        for data in rng.sample(cases(handler, rng), 6 if handler.name != HEAVY else 3):
            session = f"hostile{number}"
            body = {"data": data, "fn_index": handler._id, "session_hash": session}
            answer = post("queue/join", body)
            if answer.status_code != 200:
                check_words(answer.json()["detail"])
            else:
                asked.setdefault(session, []).append(answer.json()["event_id"])
    assert sum(map(len, asked.values())) > 50
    for session, events in asked.items():
        for message in stream(page, session, len(events)):
            told = message["output"].get("error")
            assert message["success"] or told
            if told:
                check_words(told)


def stream(page: gr.Blocks, session: str, count: int) -> Iterator[dict]:
    """The last message of each event of a session."""
    address = f"{page.local_url}gradio_api/queue/data?session_hash={session}"
    with httpx.stream("GET", address, timeout=120) as answer:
        for line in answer.iter_lines():
            message = json.loads(line.removeprefix("data:")) if line.startswith("data:") else {}
            if message.get("msg") == "process_completed":
                yield message
                count -= 1
                if not count:
                    return


@pytest.mark.parametrize(
    "route, body, status",
    [
        ("run/predict", {}, 422), ("run/predict", [], 422), ("run/predict", 5, 422),
        ("run/predict", {"data": [], "fn_index": 10**9}, 404),
        ("run/predict", {"data": [], "fn_index": "x"}, 422),
        ("run/nothing", {"data": []}, 404),
        ("run/predict", {"data": [], "fn_index": 0, "session_hash": [1]}, 422),
        ("queue/join", {"data": [], "fn_index": 0}, 400),
        ("queue/join", {"data": [], "fn_index": -1, "session_hash": "a"}, 404),
        ("queue/join", {"data": [], "session_hash": "a"}, 400),
        ("component_server", {}, 400), ("nowhere", {}, 405), ("cancel", {}, 422),
    ],
)  # fmt: skip
def test_requests_that_no_page_makes_end_in_a_sentence(page, post, route, body, status):
    answer = post(route, body)
    told = answer.json()
    assert answer.status_code in (status, 400, 403, 404), (
        answer.text
    )  # what is closed is refused, too
    check_words(told.get("detail", told.get("error")))


def test_no_handler_takes_a_perturbation_from_the_browser(page):
    """A player's value is for the player: what was perturbed stays on the server."""
    players = {block for block in page.blocks.values() if isinstance(block, Player)}
    assert len(players) == 4
    assert not [handler for handler in handlers(page) if players & {*handler.inputs}]


def test_a_value_out_of_range_says_the_range(page, post):
    handler = next(one for one in handlers(page) if one.name == "count_questions")
    body = {"data": ["abx", ["white"], 1_000], "fn_index": handler._id, "session_hash": "range"}
    told = post("run/predict", body).json()["error"]
    assert told == "Value 1000 is greater than maximum value 100."
    body["data"] = ["abx", ["white"], "many"]
    assert post("run/predict", body).json()["error"] == UNFIT
