"""A listener's way through the server, and what the server never tells."""

import errno
import io
import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
import pytest
import soundfile
from listening.small_study import small_study
from starlette.testclient import TestClient

from robustaudio.audio.clip import Clip
from robustaudio.audio.datasets import BUNDLED
from robustaudio.listening.design.stimulus import RATE
from robustaudio.listening.design.study import sound_text
from robustaudio.listening.design.study_file import parse
from robustaudio.listening.run import export
from robustaudio.listening.run.headphones import GAP_S, Screening, beep_count
from robustaudio.listening.run.host import Host
from robustaudio.listening.run.json_lines import JsonLinesStore
from robustaudio.listening.run.session import Session, hour, session_of
from robustaudio.listening.run.store import STUDY, Event, NotWritable
from robustaudio.listening.simulated_listeners import Listener as Simulated
from robustaudio.listening.simulated_study import simulate
from robustaudio.listening.web.listener_routes import application

HOW = {"response_time_s": 1.5, "plays": 2, "switches": 5}


class Listener:
    """A browser's half of the conversation, over HTTP."""

    def __init__(self, rooms: Host, token: str) -> None:
        self.rooms, self.token, self.code = rooms, token, ""
        self.client = TestClient(application(rooms))

    def get(self, path: str):
        return self.client.get(f"/listen/{self.token}/{path}", headers={"X-Listener": self.code})

    def post(self, path: str, **told):
        headers = {"X-Listener": self.code}
        return self.client.post(f"/listen/{self.token}/{path}", json=told, headers=headers)

    @property
    def session(self):
        return self.rooms.find(self.token).sessions()[session_of(self.code)]

    def begin(self) -> dict:
        self.code = self.post("start", agreed=True).json()["code"]
        beeps = beep_count(self.session.check_seed)
        self.post("sound", beeps=beeps, sample_rate=48000, device="headphones")
        return self.post("level", gain_db=-20).json()

    def answer(self, trial: int, answer=0):
        return self.post("answer", trial=trial, answer=answer, **HOW)

    def right(self) -> int:
        """What only the server knows."""
        return self.session.trial().right


@pytest.fixture
def rooms(tmp_path) -> Host:
    return Host(JsonLinesStore(tmp_path))


@pytest.fixture
def listener(rooms) -> Listener:
    room, _ = rooms.open(small_study())
    return Listener(rooms, room.token)


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


def test_a_second_answer_to_a_trial_changes_nothing(listener):
    listener.begin()
    first = listener.answer(0, 1).json()
    again = listener.answer(0, 0).json()
    assert first == again and first["trial"]["number"] == 1
    assert [r.answer for r in listener.session.responses] == [1]
    early = listener.answer(5)
    assert early.status_code == 400 and "trial 5 has not been asked yet" in early.json()["error"]


def test_another_server_goes_on_where_the_first_was_killed(listener, tmp_path):
    listener.begin()
    for trial in range(3):
        state = listener.answer(trial, 1).json()
    later = Listener(Host(JsonLinesStore(tmp_path)), listener.token)
    later.code = listener.code
    assert later.get("state").json() == state
    assert later.session.trial() == listener.session.trial()


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


@pytest.mark.parametrize("typed", [str.lower, lambda code: code.replace("-", " - "),
                                   lambda code: f" {code.replace('-', '')} "])  # fmt: skip
def test_a_code_is_known_however_it_is_typed(listener, typed):
    listener.begin()
    assert session_of(typed(listener.code)) == session_of(listener.code)
    listener.code = typed(listener.code).strip()
    assert listener.post("forget").json() == {"step": "deleted"}


@pytest.mark.parametrize("procedure", ["abx, levels_db: [-40]", "quest, audible_db: 0"])
def test_only_practice_answers_are_called_right_or_wrong(rooms, procedure):
    text = f"{{kind: {procedure}, trials: 12, practice: 3, catch_every: 3}}"
    room, _ = rooms.open(small_study(procedure=text))
    listener = Listener(rooms, room.token)
    state, kinds = listener.begin(), []
    while state["step"] == "trial":
        number, right = state["trial"]["number"], listener.right()
        kinds.append(listener.session.trial().kind)
        answer = (right + number) % 2
        state = listener.answer(number, answer).json()
        practised = {"practice_right": answer == right} if kinds[-1] == "practice" else {}
        expected = {"step", "gain_db", "attempts", "trial"}
        assert {key: state[key] for key in state.keys() - expected} == practised
        assert listener.answer(number, 1 - answer).json() == state  # of the answer that counts
        assert "practice_right" not in listener.get("state").json()
    assert kinds[:3] == ["practice"] * 3 and {"catch", "test"} == {*kinds[3:]}
    assert listener.answer(-1).status_code == 400


@pytest.mark.parametrize(
    ("families", "alternatives", "question"),
    [
        (["white", "shaped"], 2, "Which one is noisier?"),
        (["white"], 3, "Which one is the noisiest of the three?"),
        (["white", "pgd"], 2, "Which one was changed?"),
        (["pgd"], 3, "Which one of the three was changed?"),
    ],
)
def test_the_question_fits_the_families(rooms, families, alternatives, question):
    options = f"{{kind: quest, trials: 4, audible_db: 0, alternatives: {alternatives}}}"
    record = small_study(procedure=options).record() | {"families": families}
    clip = Clip.load(BUNDLED / "seven-slt.wav")
    record["clips"][0]["perturbed"] = {
        "pgd": sound_text(Clip(clip.samples.flip(0), clip.sample_rate))
    }
    room, _ = rooms.open(parse(json.dumps(record), None))
    assert room.description()["question"] == question


def test_only_the_sounds_of_the_current_trial_can_be_heard(listener):
    listener.begin()
    assert listener.get("trial/0/2").status_code == 200
    for path in ("trial/0/3", "trial/1/0", "trial/-1/0", "check/secret/0", "check/screening/9"):
        assert listener.get(path).status_code == 404
    listener.answer(0)
    assert listener.get("trial/0/0").status_code == 404


def test_x_sounds_like_the_one_that_it_is(listener):
    listener.begin()

    def heard(place: int) -> np.ndarray:
        return soundfile.read(io.BytesIO(listener.get(f"trial/0/{place}").content))[0]

    same, other = heard(listener.right()), heard(1 - listener.right())
    assert np.abs(heard(2) - same).max() < 1e-6 < np.abs(heard(2) - other).max() / 100


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


def thirds(screening: Screening, question: int) -> list[np.ndarray]:
    """The three sounds of a question, without the pauses between them."""
    sound, pause = screening.sound(question), round(GAP_S[screening.kind] * RATE)
    length = (len(sound) - 2 * pause) // 3
    return [sound[n * (length + pause) :][:length] for n in range(3)]


def test_loudspeakers_make_the_tone_in_antiphase_the_quietest():
    screening = Screening("antiphase", 3)
    parts, right = thirds(screening, 0), screening.right(0)
    rms = [float(part[:, 0].std()) for part in parts]
    summed = [float(part.sum(1).std() / part[:, 0].std()) for part in parts]
    assert min(rms) == rms[right] == pytest.approx(max(rms) / 2, rel=0.01)
    assert sorted(summed) == pytest.approx([0, 2, 2], abs=1e-6)
    assert summed[right] > 1  # the softer one is in phase


def band_db(sounds: list[np.ndarray]) -> float:
    """Power within 6 % of 600 Hz, relative to that of an octave around it, over many noises."""
    power = sum(np.abs(np.fft.rfft(sound)) ** 2 for sound in sounds)
    hz = np.fft.rfftfreq(len(sounds[0]), 1 / RATE)
    band = np.abs(hz - 600) <= 36
    around = (hz > 400) & (hz < 800) & ~band
    return 10 * np.log10(power[band].mean() / power[around].mean())


def test_a_huggins_pitch_is_between_the_ears_and_nowhere_else():
    """Each ear alone is flat, and loudspeakers, which add the two, make no peak."""
    screenings = [
        (Screening("huggins", seed), question) for seed in range(5) for question in range(6)
    ]
    pitched = [thirds(one, question)[one.right(question)] for one, question in screenings]
    plain = [thirds(one, question)[one.right(question) - 1] for one, question in screenings]
    assert all(np.allclose(sound[:, 0], sound[:, 1], atol=1e-9) for sound in plain)
    assert len(pitched[0]) == RATE  # 1 s
    left, right = ([sound[:, ear] for sound in pitched] for ear in (0, 1))
    assert band_db(left) == pytest.approx(0, abs=0.5) and band_db(right) == pytest.approx(
        0, abs=0.5
    )
    assert np.abs(np.fft.rfft(left[0]))[12_000:].std() > 1  # up to the top of the band
    assert band_db([sound.sum(1) for sound in pitched]) < -10  # of a tone, a peak would be left
    assert band_db([sound[:, 0] - sound[:, 1] for sound in pitched]) > 20  # what ears subtract


def test_a_huggins_pitch_is_passed_by_all_six_as_its_authors_have_it(rooms):
    room, _ = rooms.open(small_study(screening="huggins"))
    listener = Listener(rooms, room.token)
    listener.begin()
    screening = listener.session.screening
    answers = [screening.right(question) for question in range(6)]
    answers[5] = (answers[5] + 1) % 3
    assert listener.post("screening", answers=answers).json()["step"] == "screening"


def test_checks_are_drawn_from_a_seed_of_their_own(listener):
    """What is heard there depends on nothing that the right answers come from."""
    listener.begin()
    events = listener.rooms.store.read(listener.token, session_of(listener.code))
    other = replace(events[0], data=events[0].data | {"seed": events[0].data["seed"] + 1})
    session = listener.session
    again = Session.replay(session.study, [other, *events[1:]])
    assert again.seed != session.seed and again.check_seed == session.check_seed
    assert again.screening == session.screening
    assert "check_seed" not in export.CONSENT


def test_a_check_sound_is_served_in_its_step_alone(listener):
    listener.begin()
    assert listener.get("state").json()["step"] == "trial"
    for path in ("check/level/0", "check/beeps/0", "check/screening/0"):
        assert listener.get(path).status_code == 404


def test_the_level_is_set_on_the_loudest_sound_of_the_study(rooms):
    loud = Clip.load(BUNDLED / "seven-slt.wav")
    soft = Clip(loud.samples * 0.016, loud.sample_rate)  # 36 dB below
    clips = [{"name": name, "sound": sound_text(c)} for name, c in (("soft", soft), ("loud", loud))]
    room, _ = rooms.open(parse(json.dumps(small_study().record() | {"clips": clips}), None))
    listener = Listener(rooms, room.token)
    state = listener.post("start", agreed=True).json()
    listener.code = state["code"]
    beeps = beep_count(listener.session.check_seed)
    listener.post("sound", beeps=beeps, sample_rate=48000, device="headphones")
    heard = soundfile.read(io.BytesIO(listener.get("check/level/0").content))[0]
    stimuli, procedure = room.study.stimuli, room.study.procedure
    played = [
        np.abs(stimuli.render(condition, level)).max()
        for condition in procedure.conditions
        for level in (None, *procedure.stimulus_levels_db)
    ]
    assert np.abs(heard).max() == pytest.approx(max(played), abs=1e-6)


def test_a_full_disk_is_said_in_a_sentence(listener, monkeypatch):
    listener.begin()

    def full(event):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(listener.rooms.store, "append", full)
    answer = listener.answer(0)
    assert answer.status_code == 503
    assert "cannot read or write answers now: No space left on device" in answer.json()["error"]


def test_a_listener_may_delete_everything(listener, tmp_path):
    listener.begin()
    listener.answer(0)
    assert len(list(tmp_path.rglob("*.jsonl"))) == 2
    assert listener.post("forget").json() == {"step": "deleted"}
    assert len(list(tmp_path.rglob("*.jsonl"))) == 1
    assert listener.get("state").status_code == 404


def test_nothing_personal_is_stored(listener, tmp_path):
    listener.begin()
    listener.answer(0)
    stored = (tmp_path / listener.token / f"{session_of(listener.code)}.jsonl").read_text()
    assert listener.code not in stored
    assert not re.search(r"\d\d:\d\d|\d+\.\d+\.\d+\.\d+|testclient|agent", stored, re.I)
    assert set(re.findall(r"20\d\d-[^\"]*", stored)) == {hour()}


def test_a_study_ends_on_time_and_takes_its_answers_along(listener, tmp_path):
    listener.begin()
    listener.rooms.find(listener.token).expires = datetime.now(UTC) - timedelta(seconds=1)
    gone = listener.get("state")
    assert gone.status_code == 410 and gone.json() == {
        "error": "this study is over; its answers are deleted within minutes.", "study": "closed",
    }  # fmt: skip
    assert listener.get("study").status_code == 410
    expired(tmp_path, listener.token)
    assert listener.rooms.purge() == ([listener.token], [])
    assert list(tmp_path.rglob("*.jsonl")) == []


def test_a_mistyped_link_is_not_a_closed_study(listener):
    listener.begin()
    listener.token = listener.token[::-1]
    for unknown in (listener.get("study"), listener.get("state"), listener.post("start")):
        assert unknown.status_code == 404 and unknown.json()["study"] == "unknown"
        assert "no study at this link: it may be mistyped" in unknown.json()["error"]


def test_an_answer_that_crosses_a_deletion_leaves_nothing(listener, tmp_path, monkeypatch):
    listener.begin()
    room, append = listener.rooms.find(listener.token), listener.rooms.store.append

    def append_after_deletion(event):
        room.store.delete(room.token)
        return append(event)

    monkeypatch.setattr(listener.rooms.store, "append", append_after_deletion)
    assert listener.answer(0).status_code == 404
    assert list(tmp_path.rglob("*.jsonl")) == []


def test_a_second_server_learns_that_a_study_was_closed(listener, tmp_path, monkeypatch):
    listener.begin()
    other = Listener(Host(JsonLinesStore(tmp_path)), listener.token)
    other.code = listener.code
    assert other.get("state").status_code == 200
    listener.rooms.close(listener.token)
    monkeypatch.setattr("robustaudio.listening.run.host.FRESH_S", 0.0)
    assert other.get("state").status_code == other.post("start").status_code == 410
    assert list(tmp_path.rglob("*.jsonl")) == []


def test_expiry_is_kept_by_the_next_server(listener, tmp_path):
    listener.begin()
    listener.rooms.expire(listener.token, 1e-6)
    time.sleep(0.01)
    Host(JsonLinesStore(tmp_path)).purge()
    assert list(tmp_path.rglob("*.jsonl")) == []


def test_the_end_that_listeners_agreed_to_only_comes_nearer(rooms):
    room, _ = rooms.open(small_study(), hours=1)
    with pytest.raises(ValueError, match="0 hours must be above 0"):
        rooms.expire(room.token, 0)
    rooms.expire(room.token, 5)
    listener = Listener(rooms, room.token)
    listener.begin()
    agreed = room.expires
    with pytest.raises(ValueError, match=f"are deleted at {agreed:%Y-%m-%d %H:%M} UTC; the end"):
        rooms.expire(room.token, 6)
    assert room.expires == agreed
    rooms.expire(room.token, 2)
    assert room.expires < agreed
    listener.post("forget")
    rooms.expire(room.token, 6)  # nobody is left who agreed to anything
    assert room.expires > agreed


def test_hours_move_the_end_of_a_study_that_is_resumed(rooms):
    def resumed(hours: float | None) -> float:
        room, _ = rooms.open(small_study(), hours, resume=True)
        return (room.expires - datetime.now(UTC)) / timedelta(hours=1)

    assert resumed(10) == pytest.approx(10, abs=0.01)
    assert resumed(20) == pytest.approx(20, abs=0.01)
    Listener(rooms, rooms.store.studies()[0]).begin()
    assert resumed(30) == pytest.approx(20, abs=0.01)  # as was agreed
    assert resumed(5) == pytest.approx(5, abs=0.01)
    assert resumed(None) == pytest.approx(5, abs=0.01)
    assert len(rooms.store.studies()) == 1


def expired(folder, token: str) -> None:
    """As if the study's time had passed while no server ran."""
    past = {"at": (datetime.now(UTC) - timedelta(hours=1)).isoformat(timespec="seconds")}
    JsonLinesStore(folder).append(Event(token, STUDY, "expires", 9, past))


def half_opened(folder, token: str) -> None:
    (folder / token).mkdir()
    whole = b'{"kind": "open", "index": 0, "data": {"study": {}, "sha256": "", "hour": ""}}\n'
    (folder / token / "study.jsonl").write_bytes(whole)


def torn(folder, token: str) -> None:
    (folder / token).mkdir()
    (folder / token / "study.jsonl").write_bytes(b'{"kind": "expires", "ind')


def test_a_study_that_is_over_or_was_never_opened_gives_way_to_a_new_one(rooms, tmp_path):
    first, _ = rooms.open(small_study(), resume=True)
    half_opened(tmp_path, "half")
    torn(tmp_path, "torn")
    expired(tmp_path, first.token)
    later = Host(JsonLinesStore(tmp_path))
    second, _ = later.open(small_study(), resume=True)
    assert second.token != first.token
    closed, left = later.purge()
    assert {*closed} == {first.token, "half", "torn"} and left == []
    assert later.store.studies() == [second.token]


def test_nothing_is_open_without_an_end(tmp_path, monkeypatch):
    """Whatever line is the last one that reaches the disk, the study still ends."""
    for survived in range(4):
        rooms, append = Host(JsonLinesStore(tmp_path / str(survived))), JsonLinesStore.append
        lines = iter(range(survived))

        def killed(store, event, lines=lines, append=append):
            next(lines)
            return append(store, event)

        with monkeypatch.context() as until, suppress(StopIteration):
            until.setattr(JsonLinesStore, "append", killed)
            rooms.open(small_study(), hours=1)
        (_,) = rooms.store.studies() or [None]
        assert len(rooms.charters.ends()) == min(survived, 1)


@pytest.mark.parametrize("line", range(4))
def test_a_damaged_line_of_a_study_moves_no_end(rooms, tmp_path, line):
    """Two ends, the study, a key: whichever is lost, the answers stay until the end."""
    room, _ = rooms.open(small_study())
    Listener(rooms, room.token).begin()
    path = tmp_path / room.token / "study.jsonl"
    lines = path.read_bytes().splitlines()
    lines[line] = lines[line][:20] + b"\0" * 20
    path.write_bytes(b"\n".join(lines) + b"\n")
    later = Host(JsonLinesStore(tmp_path))
    assert later.charters.ends() == {room.token: room.expires.replace(microsecond=0)}
    assert later.purge() == ([], [])
    expired(tmp_path, room.token)
    assert later.purge() == ([room.token], [])
    assert list(tmp_path.rglob("*.jsonl")) == []


def test_a_study_in_trouble_holds_up_no_other(rooms, tmp_path, monkeypatch, caplog):
    tokens = sorted(rooms.open(small_study())[0].token for _ in range(3))
    delete = JsonLinesStore.delete

    def failing(store, token, session=None):
        if token == tokens[0]:
            raise OSError("the disk is away")
        delete(store, token, session)

    for token in tokens:
        expired(tmp_path, token)
    with monkeypatch.context() as trouble:
        trouble.setattr(JsonLinesStore, "delete", failing)
        assert rooms.purge() == (tokens[1:], tokens[:1])
    assert f"study {tokens[0]} cannot be purged: the disk is away" in caplog.text
    assert rooms.purge() == (tokens[:1], [])


def test_purging_goes_on_when_the_store_comes_back(rooms, tmp_path, monkeypatch):
    room, _ = rooms.open(small_study())
    expired(tmp_path, room.token)
    tried = threading.Event()

    def away(store):
        tried.set()
        raise OSError("503")

    monkeypatch.setattr("robustaudio.listening.run.host.PURGE_S", 0.01)
    with monkeypatch.context() as trouble:
        trouble.setattr(JsonLinesStore, "studies", away)
        stop = rooms.keep_purging()
        assert tried.wait(10)
    until = time.monotonic() + 10
    while rooms.store.studies() and time.monotonic() < until:
        time.sleep(0.01)
    stop()
    assert rooms.store.studies() == []


def test_a_damaged_answer_is_asked_for_again(listener, tmp_path):
    listener.begin()
    for trial in range(4):
        listener.answer(trial)
    path = tmp_path / listener.token / f"{session_of(listener.code)}.jsonl"
    lines = path.read_bytes().splitlines()
    lines[-3] = b"\0"  # trial 1
    path.write_bytes(b"\n".join(lines) + b"\n")
    assert listener.get("state").json()["trial"]["number"] == 1
    assert listener.answer(1).json()["trial"]["number"] == 4


def test_a_study_is_resumed_only_when_asked_for(rooms):
    first, key = rooms.open(small_study())
    again, other = rooms.open(small_study(), resume=True)
    another, _ = rooms.open(small_study())
    assert first.token == again.token != another.token
    assert key != other
    assert rooms.charters.is_key(first.token, key) and rooms.charters.is_key(first.token, other)
    assert not rooms.charters.is_key(another.token, key) and not rooms.charters.is_key(
        first.token, ""
    )


def test_no_people_join_simulated_listeners(rooms):
    simulated, _ = rooms.open(small_study())
    simulate(simulated, [Simulated(-40.0)], seed=0)
    real, _ = rooms.open(small_study(), resume=True)
    again, _ = rooms.open(small_study(), resume=True)
    assert simulated.token != real.token == again.token
    assert real.sessions() == {}


def test_a_demonstration_stores_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rooms = Host(JsonLinesStore(tmp_path / "answers"))
    listener = Listener(rooms, rooms.open(small_study(), demo=True)[0].token)
    assert listener.get("study").json()["demo"] is True
    listener.begin()
    assert listener.answer(0).json()["trial"]["number"] == 1
    assert listener.post("forget").json() == {"step": "deleted"}
    assert listener.get("state").status_code == 404
    assert rooms.find(listener.token).sessions() == {}
    assert list(tmp_path.rglob("*")) == []


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
