"""What X is, is told by the sounds alone: nothing else that a page receives goes with it.

Six hundred trials of ABX over HTTP, with the compression that stands before the pages in the app.
The truth comes from the store afterwards. All that is random is drawn from seeds of this test.
"""

import hashlib
import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import apart
import gradio as gr
import httpx
import numpy as np
import pytest
from gradio.routes import App
from listening.small_study import small_study
from scipy.stats import binomtest, mannwhitneyu

from robustaudio.listening.run import blind_wav, sent, session
from robustaudio.listening.run.headphones import beep_count
from robustaudio.listening.run.host import Host
from robustaudio.listening.run.open_study import OpenStudy
from robustaudio.listening.run.session import session_of
from robustaudio.listening.run.store import MemoryStore
from robustaudio.listening.web.listener_routes import routes

LISTENERS, TRIALS = 15, 40  # 600 in all
CODINGS = ("identity", "gzip", "br", "zstd", "deflate", "gzip, deflate, br, zstd", "*", "")
LEAST_P = 0.001  # two-sided: what guessing reaches once in a thousand times
HOW = {"response_time_s": 1.5, "plays": 2, "switches": 5}
JUNK, DATA = (
    slice(44, 44 + blind_wav.JUNK_BYTES),
    44 + blind_wav.JUNK_BYTES + 8,
)  # places in the file
SILENCE = 48_000 // 10  # samples at the end of the clip that is used: nothing but dither
X = 2  # the place of X; A and B are 0 and 1


@dataclass(frozen=True)
class Sound:
    """One answer to the request for a sound."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]  # as they were sent, in their order
    body: bytes
    took_s: float

    @property
    def steps(self) -> np.ndarray:
        """Samples, in steps of 24 bits."""
        raw = np.frombuffer(self.body[DATA:], np.uint8).reshape(-1, 3).astype(np.int32)
        return (raw[:, 0] << 8 | raw[:, 1] << 16 | raw[:, 2] << 24) >> 8


@dataclass(frozen=True)
class Asked:
    """All that a page gets of one trial; `right` is what it does not get."""

    number: int
    state: dict[str, Any]
    sounds: tuple[Sound, ...]
    others: tuple[tuple[int, str], ...]  # status and words of what is not to be had now
    right: int
    beeps: int
    code: str


def behind_compression(rooms: Host) -> App:
    """The pages' routes inside an app of Gradio's, which compresses what may be compressed."""
    with gr.Blocks() as page:
        gr.Markdown("nothing")
    return App.create_app(page, app_kwargs={"routes": routes(rooms)})


async def taken(app: App, room: OpenStudy, count: int) -> list[Asked]:
    """The trials of one listener."""
    transport = httpx.ASGITransport(app)
    base = f"http://localhost/listen/{room.token}"
    async with httpx.AsyncClient(transport=transport, base_url=base) as client:

        async def post(path: str, **told: Any) -> dict[str, Any]:
            return (await client.post(f"{base}/{path}", json=told)).raise_for_status().json()

        async def sound(path: str, coding: str) -> Sound:
            started = time.perf_counter()
            answer = await client.get(f"{base}/{path}", headers={"Accept-Encoding": coding})
            took_s = time.perf_counter() - started
            return Sound(answer.status_code, tuple(answer.headers.raw), answer.content, took_s)

        code = (await post("start", agreed=True))["code"]
        client.headers["X-Listener"] = code
        seed = room.find(code)[1].check_seed
        await post("sound", beeps=beep_count(seed), sample_rate=48_000, device="headphones")
        state, found = await post("level", gain_db=-20), []
        for number in range(count):
            assert state["step"] == "trial"
            coding = CODINGS[number % len(CODINGS)]
            places = range(state["trial"]["sounds"])
            sounds = [await sound(f"trial/{number}/{place}", coding) for place in places]
            paths = [f"trial/{number}/{len(places)}", f"trial/{number + 1}/0", "result"]
            others = [await sound(path, "identity") for path in (paths if number % 4 == 0 else [])]
            told = [(other.status, other.body.decode()) for other in others]
            trial = room.find(code)[1].trial()
            assert trial is not None
            after = await post("answer", trial=number, answer=number % 2, **HOW)
            found.append(
                Asked(
                    number, state, tuple(sounds), tuple(told), trial.right, beep_count(seed), code
                )
            )
            state = after
    return found


def asked(procedure: str, listeners: int, trials: int) -> list[Asked]:
    """Trials of several listeners."""
    rooms = Host(MemoryStore())
    room, _ = rooms.open(small_study(procedure=procedure))
    app = behind_compression(rooms)
    return [one for _ in range(listeners) for one in apart.run(taken(app, room, trials))]


@pytest.fixture(scope="module")
def known_draws() -> Iterator[None]:
    """Sessions, dither and noise from seeds, each of a stream of its own."""
    draws, noise = random.Random(0), random.Random(1)
    of_sessions = SimpleNamespace(randbits=draws.getrandbits, token_bytes=draws.randbytes)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sent, "secrets", of_sessions)
        patched.setattr(session, "secrets", of_sessions)
        patched.setattr(blind_wav, "randbits", noise.getrandbits)
        patched.setattr(blind_wav, "token_bytes", noise.randbytes)
        yield


@pytest.fixture(scope="module")
def trials(known_draws) -> list[Asked]:
    options = f"{{kind: abx, levels_db: [-40], trials: {TRIALS}, practice: 0, catch_every: 0}}"
    made = asked(options, LISTENERS, TRIALS)
    assert len(made) == LISTENERS * TRIALS == 600
    return made


@pytest.fixture(scope="module")
def quest(known_draws) -> list[Asked]:
    options = "{kind: quest, trials: 40, alternatives: 3, audible_db: 0, practice: 2}"
    return asked(options, 1, 40)


@pytest.mark.parametrize("kind", ["trials", "quest"])
def test_every_sound_comes_alike(kind, request):
    """Status, headers, their order and the size are the same, whatever the browser can unpack."""
    sounds = [sound for one in request.getfixturevalue(kind) for sound in one.sounds]
    assert {sound.status for sound in sounds} == {200}
    (headers,) = {sound.headers for sound in sounds}
    named = {name.lower(): value for name, value in headers}
    assert named[b"content-encoding"] == b"identity"
    assert {int(named[b"content-length"])} == {len(sound.body) for sound in sounds}
    assert b"no-store" in named[b"cache-control"]
    for telling in (b"etag", b"last-modified", b"date", b"server-timing", b"content-md5"):
        assert telling not in named


def test_no_part_of_a_file_comes_twice(trials):
    """Not the file, its sound, its chunk of noise, nor the silence at its end."""
    parts: dict[str, Callable[[bytes], bytes]] = {
        "file": lambda body: body,
        "sound": lambda body: body[DATA:],
        "chunk": lambda body: body[JUNK],
        "silence": lambda body: body[-3 * SILENCE :],
    }
    bodies = [sound.body for one in trials for sound in one.sounds]
    assert {body[:36] for body in bodies} == {bodies[0][:36]}  # sizes and format
    for name, part in parts.items():
        assert len({hashlib.sha256(part(body)).digest() for body in bodies}) == len(bodies), name


@pytest.mark.parametrize("kind", ["trials", "quest"])
def test_states_and_refusals_depend_on_the_number_alone(kind, request):
    """Of practice in `quest` an answer says whether it was right; it is not asked here again."""
    known = {}
    for one in request.getfixturevalue(kind):
        state = {name: told for name, told in one.state.items() if name != "practice_right"}
        told = json.dumps(state), one.others
        assert known.setdefault(one.number, told) == told
        assert {status for status, _ in one.others} <= {400, 404}


def features(sound: Sound) -> dict[str, float]:
    """What can be measured of a file without the sound in it: there, A and B have no difference."""
    junk = np.frombuffer(sound.body[JUNK], np.uint8).astype(int)
    silence = sound.steps[-SILENCE:]
    measured = {
        "sum of the chunk": junk.sum(),
        "first byte of the chunk": junk[0],
        "ones in the chunk": np.unpackbits(junk.astype(np.uint8)).sum(),
        "sum of the silence": silence.sum(),
        "steps in the silence": np.abs(silence).sum(),
        "odd samples of the silence": (silence & 1).sum(),
        "last sample": silence[-1],
        "first sample": sound.steps[0],
    }
    return {name: float(value) for name, value in measured.items()}


def rules(one: Asked) -> dict[str, int | None]:
    """What each rule says X is; None where it has no opinion."""
    every = [features(sound) for sound in one.sounds]
    said: dict[str, int | None] = {}
    for name in every[0]:
        a, b, x = (measured[name] for measured in every)
        said[f"nearest {name}"] = sign(abs(x - a) - abs(x - b))
        said[f"{name}, A to B"] = sign(b - a)
        said[f"{name}, X to the mean"] = sign(2 * x - a - b)
    for name, place in (("chunk", JUNK), ("silence", slice(-3 * SILENCE, None))):
        a, b, x = (np.frombuffer(sound.body[place], np.uint8) for sound in one.sounds)
        said[f"same bytes in the {name}"] = sign(int((x == b).sum()) - int((x == a).sum()))
    said |= {
        "always B": 1, "odd numbers": one.number % 2, "odd beeps": one.beeps % 2,
        "high code": int(one.code[0] >= "M"),
    }  # fmt: skip
    return said


def sign(difference: float) -> int | None:
    return int(difference > 0) if difference else None


def test_no_rule_finds_x_more_or_less_often_than_guessing(trials):
    found: dict[str, list[bool]] = {}
    before = None
    for one in trials:
        said = rules(one) | ({"as before": before} if one.number else {})
        before = one.right
        for name, guess in said.items():
            if guess is not None:
                found.setdefault(name, []).append(guess == one.right)
    assert len(found) > 25
    for name, hits in found.items():
        assert len(hits) > 200, name
        assert binomtest(sum(hits), len(hits)).pvalue > LEAST_P, f"{name}: {np.mean(hits):.3f}"


def test_the_rules_would_see_what_tells(trials):
    """The peak of X alone tells it, as the docs say: a level meter is a sound's measure."""
    hits = []
    for one in trials:
        a, b, x = (np.abs(sound.steps).max() for sound in one.sounds)
        hits.append(sign(abs(x - a) - abs(x - b)) == one.right)
    assert np.mean(hits) > 0.99


def test_times_are_shown(trials, capsys):
    """Times are nobody's to promise on a busy machine; they are printed with -s."""
    took = {right: [1000 * one.sounds[X].took_s for one in trials if one.right == right]
            for right in (0, 1)}  # fmt: skip
    p = mannwhitneyu(took[0], took[1]).pvalue
    nearest = [
        sign(abs(x - a) - abs(x - b)) == one.right
        for one in trials
        for a, b, x in [[sound.took_s for sound in one.sounds]]
    ]
    with capsys.disabled():
        print(
            f"\nX is A: {np.median(took[0]):.2f} ms, X is B: {np.median(took[1]):.2f} ms, "
            f"rank test p = {p:.2f}; nearest time right in {np.mean(nearest):.1%}"
        )
    assert min(map(len, took.values())) > 200


def test_the_seed_of_the_checks_tells_nothing_of_the_trials(known_draws):
    """The number of beeps is known to every listener, and what follows must not go with it."""
    study = small_study(procedure="{kind: abx, levels_db: [-40], trials: 6, practice: 0}")
    hits, seeds = [], []
    for number in range(2_000):
        begun = sent.start("study", session_of(session.new_code()))
        assert begun.data["seed"] != begun.data["check_seed"], number
        seeds.append([begun.data["seed"], begun.data["check_seed"]])
        if number < 600:
            first = study.procedure.next((), begun.data["seed"])
            assert first is not None
            hits.append(first.right == beep_count(begun.data["check_seed"]) % 2)
    assert binomtest(sum(hits), len(hits)).pvalue > LEAST_P
    for bit in range(48):
        same = sum((seed ^ check) >> bit & 1 for seed, check in seeds)
        assert binomtest(same, len(seeds)).pvalue > LEAST_P / 48, f"bit {bit}"
