"""A listener's way through the server, and what the server never tells."""

import errno
import re
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from listening.over_http import Listener
from listening.small_study import small_study
from starlette.testclient import TestClient

from robustaudio.listening.run.headphones import beep_count
from robustaudio.listening.run.host import Host
from robustaudio.listening.run.json_lines import JsonLinesStore
from robustaudio.listening.run.session import hour, session_of
from robustaudio.listening.run.store import NotWritable
from robustaudio.listening.web.listener_routes import application


def test_a_whole_session_step_by_step(listener):
    about = listener.get("study").json()
    assert about["title"] == "A short test" and about["paradigm"] == "abx"
    assert about["kept"] == "in files on the computer that serves this page, not in public"
    assert (about["trials"], about["practice"], about["minutes"]) == (10, 1, 5)  # 140 s and checks
    refused = listener.post("start")
    assert refused.status_code == 400 and "begins with consent" in refused.json()["error"]
    assert listener.rooms.store.sessions(listener.token) == []
    state = listener.post("start", agreed=True).json()
    listener.code = state["code"]
    assert re.fullmatch("[A-Z2-7]{4}(-[A-Z2-7]{4}){3}", state["code"]) and state["step"] == "sound"
    assert listener.get("check/beeps/0").headers["content-type"] == "audio/wav"
    wrong = listener.post("sound", beeps=9, sample_rate=48000, device="headphones")
    assert wrong.status_code == 400 and "not how many there were" in wrong.json()["error"]
    beeps = beep_count(listener.session.check_seed)
    state = listener.post("sound", beeps=beeps, sample_rate=44100, device="earphones").json()
    assert state["step"] == "level"
    state = listener.post("level", gain_db=-12.5).json()
    asked = 0
    while state["step"] == "trial":
        assert state["trial"]["number"] == asked
        state = listener.answer(asked, listener.right()).json()
        asked += 1
    assert state["step"] == "done"
    session = listener.session
    assert len(session.responses) == asked and all(r.correct for r in session.responses)
    assert (session.checks.sample_rate, session.checks.gain_db) == (44100, -12.5)


def test_nobody_gets_anywhere_with_another_code(listener):
    listener.begin()
    for code in ("", "nonsense", "AAAA-BBBB-CCCC-DDDD", "../../etc/passwd"):
        listener.code = code
        for path in ("state", "trial/0/0", "check/level/0"):
            assert listener.get(path).status_code == 404
        assert listener.answer(0).status_code == 404
        assert listener.post("forget").status_code == 404
    for token in ("zzzz", "..%2F..%2Fetc", listener.token.upper()):
        assert listener.client.get(f"/listen/{token}/state").status_code == 404
    assert listener.client.get("/listen/assets/style.css").status_code == 404
    for odd in (b"[" * 10_000, b"\xff", b"[]", b"null"):
        answer = listener.client.post(f"/listen/{listener.token}/answer", content=odd)
        assert answer.status_code == 400 and "what was sent is not" in answer.json()["error"]
    big = listener.client.post(f"/listen/{listener.token}/answer", content=b"x" * 20_000)
    assert big.status_code == 400 and "bytes were sent" in big.json()["error"]


def test_a_full_disk_is_said_in_a_sentence(listener, monkeypatch):
    listener.begin()

    def full(event):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(listener.rooms.store, "append", full)
    answer = listener.answer(0)
    assert answer.status_code == 503
    assert "cannot read or write answers now: No space left on device" in answer.json()["error"]


def test_nothing_personal_is_stored(listener, tmp_path):
    listener.begin()
    listener.answer(0)
    stored = (tmp_path / listener.token / f"{session_of(listener.code)}.jsonl").read_text()
    assert listener.code not in stored
    assert not re.search(r"\d\d:\d\d|\d+\.\d+\.\d+\.\d+|testclient|agent", stored, re.I)
    assert set(re.findall(r"20\d\d-[^\"]*", stored)) == {hour()}


def test_a_mistyped_link_is_not_a_closed_study(listener):
    listener.begin()
    listener.token = listener.token[::-1]
    for unknown in (listener.get("study"), listener.get("state"), listener.post("start")):
        assert unknown.status_code == 404 and unknown.json()["study"] == "unknown"
        assert "no study at this link: it may be mistyped" in unknown.json()["error"]


def test_thirty_visitors_who_answer_every_three_seconds_keep_less_than_a_core_busy(rooms):
    """Processor time, which a busy machine does not lengthen; benchmarks.visitors has seconds."""
    room, _ = rooms.open(small_study(procedure="{kind: quest, trials: 6, practice: 1}"))
    visitors = [Listener(rooms, room.token) for _ in range(10)]

    def visit(listener: Listener) -> int:
        state, answers = listener.begin(), 0
        while state["step"] == "trial":
            state = listener.answer(state["trial"]["number"]).json()
            answers += 1
        return answers

    started = time.process_time()
    with ThreadPoolExecutor(10) as together:
        answers = sum(together.map(visit, visitors))
    assert sum(len(session.responses) for session in room.sessions().values()) == answers
    assert len(room.sessions()) == 10
    assert (time.process_time() - started) / answers < 0.1


@pytest.mark.parametrize("path", ["", "/teacher"])
def test_a_page_without_its_script_is_not_empty(rooms, path):
    """The line stands in the page itself, and the script's first act is to hide it."""
    token = rooms.open(small_study())[0].token
    client = TestClient(application(rooms))
    shown = client.get(f"/listen/{token}{path}").text
    line = re.search(r'<p id="old-browser" role="alert">([^<]*)</p>', shown)
    assert line and "needs JavaScript, and a browser of 2022 or newer" in line[1]
    script = client.get(f"/listen/assets/{'teacher' if path else 'listen'}.js").text
    assert 'document.getElementById("old-browser").hidden = true;' in script[:900]


SECRET = "AAAA-BBBB-CCCC-DDDD"


@pytest.mark.parametrize(
    "error, status, sentence",
    [
        (OSError(errno.ENOSPC, "No space left on device", SECRET), 503, "No space left on device"),
        (PermissionError(errno.EACCES, "Permission denied", SECRET), 503, "Permission denied"),
        (RuntimeError(f"[parameters: {SECRET}]"), 500, "a defect of the server"),
        (KeyError(SECRET), 404, ""),
        (MemoryError(), 500, "a defect of the server"),
        (TypeError(SECRET), 500, "a defect of the server"),
    ],
)
def test_any_error_is_one_json_sentence_and_the_log_holds_no_data(
    listener, monkeypatch, caplog, error, status, sentence
):
    listener.begin()

    def fails(*_, **__):
        raise error

    monkeypatch.setattr(type(listener.rooms.store), "read", fails)
    monkeypatch.setattr(type(listener.rooms.store), "append", fails)
    monkeypatch.setattr(type(listener.rooms.store), "stamp", fails)  # else nothing is read
    client = TestClient(application(listener.rooms), raise_server_exceptions=False)
    headers = {"X-Listener": listener.code}
    room = listener.rooms.find(listener.token)
    monkeypatch.setattr(type(listener.rooms), "find", lambda *_: room)
    for answer in (
        client.get(f"/listen/{listener.token}/state", headers=headers),
        client.post(f"/listen/{listener.token}/answer", headers=headers, json={"trial": 0}),
    ):
        assert answer.status_code == status and answer.headers["content-type"].endswith("json")
        assert sentence in answer.json()["error"]
        if status != 404:
            assert SECRET not in answer.text
    assert SECRET not in caplog.text and listener.code not in caplog.text
    assert status != 500 or f"{type(error).__name__} in open_study.py" in caplog.text
    assert "Traceback" not in caplog.text


def test_what_changes_something_is_called_json(listener):
    """Another site's page can send text unasked, and a server that takes it for JSON obeys it."""
    listener.begin()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "", None):
        for path, body in (("start", b'{"agreed": true}'), ("forget", b"{}")):
            answer = listener.client.post(
                f"/listen/{listener.token}/{path}",
                content=body,
                headers={} if kind is None else {"Content-Type": kind},
            )
            assert answer.status_code == 415 and "application/json" in answer.json()["error"]
    sent = {"Content-Type": "application/json; charset=utf-8"}
    url = f"/listen/{listener.token}/start"
    assert listener.client.post(url, content=b'{"agreed": true}', headers=sent).status_code == 200


def test_no_redirect_leads_to_the_host_that_was_asked_for(listener):
    for path in ("study/", "", "/"):
        answer = listener.client.get(
            f"/listen/{listener.token}/{path}",
            headers={"Host": "evil.example"},
            follow_redirects=False,
        )
        assert answer.status_code == 404 and "location" not in answer.headers


def test_nothing_on_the_way_may_change_a_sound_or_an_answer(listener):
    listener.begin()
    for path in ("trial/0/0", "state", "study", ""):
        headers = listener.get(path.rstrip("/")).headers if path else None
        if headers is None:
            headers = listener.client.get(f"/listen/{listener.token}").headers
        assert headers["cache-control"] == "no-store, no-transform"
        assert "base-uri 'none'" in headers["content-security-policy"]
        assert "form-action 'self'" in headers["content-security-policy"]


@pytest.mark.parametrize("path", ["study", "start", "pooled", "close"])
def test_a_file_that_the_system_locks_is_no_wrong_key(listener, monkeypatch, path):
    """The system's own refusal is a trouble of the server, and its words hold a path."""
    key = listener.rooms.charters.new_key(listener.token)

    def locked(file, *_, **__):
        raise PermissionError(errno.EACCES, "Permission denied", str(file))

    client = TestClient(application(Host(listener.rooms.store)))
    monkeypatch.setattr("robustaudio.listening.run.json_lines._content", locked)
    ask = client.get if path in ("study", "pooled") else partial(client.post, json={"agreed": True})
    told = ask(f"/listen/{listener.token}/{path}", headers={"X-Teacher": key})
    sentence = "the server cannot read or write answers now: Permission denied."
    assert (told.status_code, told.json()["error"]) == (503, sentence)


def test_a_store_that_another_process_writes_to_is_told_to_nobody_by_its_path(tmp_path):
    rooms = Host(JsonLinesStore(tmp_path))
    room, _ = rooms.open(small_study())
    rooms.store._claimed = False  # as in a second server, which has not written yet

    def refused(*_):
        raise NotWritable(f"another process writes to {tmp_path}.")

    rooms.store._claim = refused
    answer = TestClient(application(rooms)).post(
        f"/listen/{room.token}/start", json={"agreed": True}
    )
    assert answer.status_code == 503 and str(tmp_path) not in answer.text
