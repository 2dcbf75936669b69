"""A listening test in a real Chromium, against a server of its own that may be killed."""

import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from listening.small_study import TEXT
from playwright.sync_api import Page, expect
from ui.driving import SLOW_MS

from robustaudio.listening.design.study_file import parse
from robustaudio.listening.run.headphones import Screening, beep_count
from robustaudio.listening.run.host import Host
from robustaudio.listening.run.json_lines import JsonLinesStore
from robustaudio.listening.run.open_store import open_store
from robustaudio.listening.run.sent import MOST_ATTEMPTS
from robustaudio.listening.run.session import Session, session_of
from robustaudio.listening.simulated_listeners import Listener
from robustaudio.listening.simulated_study import simulate

pytestmark = pytest.mark.browser
GONE = ("ERR_CONNECTION", "ERR_EMPTY_RESPONSE", "ERR_SOCKET")
AFC = TEXT.replace(
    "kind: abx, levels_db: [-20], trials: 6", "kind: quest, trials: 5, audible_db: -10"
)


FORKS = """
import json, os, signal, sys
import uvicorn
import robustaudio.cli.listen, robustaudio.gate, robustaudio.listening.web.listener_routes
from robustaudio.cli import main
signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who is killed is gone at once
for line in sys.stdin:
    said, *arguments = json.loads(line)
    if child := os.fork():
        print(child, flush=True)
        continue
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    nothing, told = os.open(os.devnull, os.O_RDWR), os.open(said, os.O_WRONLY | os.O_CREAT)
    for here, there in ((nothing, 0), (nothing, 1), (told, 2)):
        os.dup2(here, there)
    os._exit(main(arguments))
"""


@pytest.fixture(scope="module")
def forks() -> Iterator[subprocess.Popen]:
    """A process that has imported everything, and serves each study in a child of its own."""
    with subprocess.Popen(
        [sys.executable, "-c", FORKS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.stdin.close()


class Server:
    """`robustaudio listen serve` as a process, which can be killed and started again."""

    def __init__(
        self, forks: subprocess.Popen, folder: Path, text: str, options: tuple[str, ...]
    ) -> None:
        self.forks, self.folder, self.text, self.options = forks, folder, text, options
        self.starts = 0
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        (folder / "study.yaml").write_text(text)
        self.start()

    def start(self) -> None:
        self.starts += 1
        said = self.folder / f"said-{self.starts}.txt"
        kept = [] if "--demo" in self.options else ["--store", str(self.folder / "answers")]
        command = [
            "listen", "serve", str(self.folder / "study.yaml"), "--port", str(self.port), *kept,
            *self.options,
        ]  # fmt: skip
        self.forks.stdin.write(json.dumps([str(said), *command]) + "\n")
        self.forks.stdin.flush()
        self.process = int(self.forks.stdout.readline())
        until, lines = time.monotonic() + SLOW_MS / 1000, []
        while len(lines) < 2:  # the links; the port is bound before they are said
            assert time.monotonic() < until, f"the server does not come up: {lines}"
            time.sleep(0.02)
            lines = said.read_text().splitlines(keepends=True) if said.exists() else []
            lines = [line for line in lines if line.endswith("\n")]
        links = [line.split()[-1] for line in lines[:2]]
        self.listeners, self.teacher = links

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.process, signal.SIGKILL)
            while True:
                os.kill(self.process, 0)
                time.sleep(0.005)

    def session(self, code: str) -> Session:
        token = self.listeners.rsplit("/", 1)[1]
        events = JsonLinesStore(self.folder / "answers").read(token, session_of(code))
        return Session.replay(parse(self.text, None), events)


@pytest.fixture
def serve(tmp_path, browser, forks):
    servers = []

    def start(text: str, *options: str) -> Server:
        servers.append(Server(forks, tmp_path, text, options))
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


class Visitor:
    """A person at the page, who sees no more than it shows; `session` is what the server has."""

    def __init__(self, server: Server, page: Page) -> None:
        self.server, self.page, self.answers = server, page, []
        page.set_default_timeout(SLOW_MS)

    @property
    def code(self) -> str:
        return self.page.evaluate("localStorage.getItem('robustaudio.listen' + location.pathname)")

    @property
    def session(self) -> Session:
        return self.server.session(self.code)

    def posts(self, path: str, **told) -> None:
        """What the page would send, without it."""
        headers = {"X-Listener": self.code}
        sent = self.page.request.post(f"{self.server.listeners}/{path}", data=told, headers=headers)
        assert sent.ok, sent.text()

    def reaches(self, step: str) -> None:
        expect(self.page.locator(f"#{step}")).to_be_visible(timeout=SLOW_MS)

    def begins(self) -> None:
        self.reaches("welcome")
        assert self.page.locator("#begin").is_disabled()
        self.page.check("#agree")
        self.page.click("#begin")
        self.reaches("sound")
        self.page.click("#beeps")
        self.page.click("#counts button[data-value='2']")
        expect(self.page.locator("#notice")).to_contain_text("Please say first what you listen")
        self.page.click("#devices button[data-value=earphones]")
        self.page.click(f"#counts button[data-value='{beep_count(self.session.check_seed)}']")

    def sets_level(self, gain_db: int = -30) -> None:
        self.reaches("level")
        expect(self.page.locator("#lock")).to_be_disabled()
        self.page.keyboard.press(" ")
        self.page.locator("#gain").fill(str(gain_db))
        self.page.keyboard.press("Enter")
        self.reaches("trial")

    def hears(self, keys: str) -> None:
        """Presses the key of every sound of the trial that is shown."""
        expect(self.page.locator("#places button")).to_have_count(len(keys), timeout=SLOW_MS)
        for key in keys:
            self.page.keyboard.press(key)

    def answers_abx(self, answer: int) -> None:
        self.hears("abx")
        self.page.keyboard.press(str(answer + 1))
        self.answers.append(answer)
        expect(self.page.locator("#submit-words")).to_have_text(f"Answer: X is {'AB'[answer]}")
        self.page.keyboard.press("Enter")

    def answers_afc(self, answer: int) -> None:
        self.hears("12")
        self.page.keyboard.press(str(answer + 1))
        self.answers.append(answer)
        expect(self.page.locator("#submit-words")).to_have_text(f"Answer: it is {answer + 1}")
        marked = self.page.locator("#places .answer")
        expect(marked).to_have_count(1)
        expect(marked).to_contain_text(f"{answer + 1}your answer")
        self.page.keyboard.press("Enter")

    def deletes(self) -> None:
        """By the footer, after having thought better of it once."""
        for thought in ("No, go back", "Delete them"):
            self.page.click("#stop")
            self.thinks(thought)
        self.reaches("deleted")

    def thinks(self, thought: str) -> None:
        self.page.locator("#sure").get_by_role("button", name=thought).click()

    def reaches_trial(self, number: int) -> None:
        """Waits for that trial, from 0, or for the end."""
        shown = self.page.locator("#progress", has_text=re.compile(rf"Trial {number + 1} "))
        expect(shown.or_(self.page.locator("#done:not([hidden]) h1"))).to_be_visible(
            timeout=SLOW_MS
        )

    def is_done(self) -> bool:
        return self.page.locator("#done").is_visible()


def visitor(server: Server, page_at, **options) -> Visitor:
    return Visitor(server, page_at(server.listeners, **options))


def test_a_whole_abx_session(serve, page_at):
    listener = visitor(serve(TEXT), page_at)
    listener.begins()
    listener.sets_level()
    while not listener.is_done():
        number = len(listener.answers)
        listener.reaches_trial(number)
        if not listener.is_done():
            practice = listener.page.locator("#practice").is_visible()
            trial = listener.session.trial()
            assert practice == (trial.kind == "practice")
            listener.answers_abx(trial.right)
            listener.reaches_trial(number + 1)
            told = "Your answer to trial 1 was right. That was the practice" if practice else ""
            expect(listener.page.locator("#feedback")).to_have_text(re.compile(f"^{told}"))
            assert told or not listener.page.locator("#feedback").inner_text()
    session = listener.session
    assert [r.answer for r in session.responses] == listener.answers
    assert all(r.correct and r.plays == 1 and r.switches == 2 for r in session.responses)
    assert session.checks.gain_db == -30 and session.checks.device == "earphones"
    expect(listener.page.locator("#result")).to_contain_text("6 of 6 right")
    expect(listener.page.locator("#code")).to_have_text(listener.code)


def test_a_whole_2afc_session_and_its_deletion(serve, page_at):
    listener = visitor(serve(AFC), page_at, width=390, dark=True)
    listener.begins()
    listener.sets_level()
    while not listener.is_done():
        number = len(listener.answers)
        listener.reaches_trial(number)
        if not listener.is_done():
            listener.answers_afc(listener.session.trial().right)
            listener.reaches_trial(number + 1)
    assert [r.answer for r in listener.session.responses] == listener.answers
    expect(listener.page.locator("#result")).to_contain_text(
        "seven · white: your threshold lies at"
    )
    assert listener.page.evaluate("document.documentElement.scrollWidth") <= 390
    listener.deletes()
    assert list((listener.server.folder / "answers").rglob("*.jsonl")) == [
        next((listener.server.folder / "answers").rglob("study.jsonl"))
    ]


def test_a_reload_and_another_tab_go_on_at_the_same_trial(serve, page_at):
    listener = visitor(serve(TEXT), page_at)
    listener.begins()
    listener.sets_level()
    for number in range(3):
        listener.reaches_trial(number)
        listener.answers_abx(0)
    listener.reaches_trial(3)
    listener.page.reload()
    listener.reaches_trial(3)
    tab = Visitor(listener.server, listener.page.context.new_page())
    tab.page.goto(listener.server.listeners)
    tab.reaches_trial(3)
    tab.answers_abx(1)
    tab.reaches_trial(4)
    listener.answers_abx(0)  # the first tab did not know; its answer is not counted
    listener.reaches_trial(4)
    assert [r.answer for r in listener.session.responses] == [0, 0, 0, 1]


def test_a_killed_server_loses_no_answer_and_counts_none_twice(serve, page_at):
    server = serve(TEXT)
    listener = visitor(server, page_at, expected=GONE)
    listener.begins()
    listener.sets_level()
    for number in range(3):
        listener.reaches_trial(number)
        listener.answers_abx(number % 2)
    listener.reaches_trial(3)
    listener.hears("abx")
    server.kill()
    listener.answers_abx(1)
    expect(listener.page.locator("#notice")).to_contain_text("Your answers so far are safe")
    server.start()
    listener.reaches_trial(4)
    expect(listener.page.locator("#notice")).to_be_empty()
    listener.answers_abx(0)
    listener.reaches_trial(5)
    session = listener.session
    assert [r.answer for r in session.responses] == listener.answers == [0, 1, 0, 1, 0]
    assert [r.trial.number for r in session.responses] == [0, 1, 2, 3, 4]
    server.kill()
    server.start()  # before anything is sent
    listener.page.reload()
    listener.reaches_trial(5)
    assert listener.session.responses == session.responses


def test_the_headphone_screening_is_heard_and_passed(serve, page_at):
    listener = visitor(serve(TEXT.replace("screening: none", "screening: antiphase")), page_at)
    listener.begins()
    listener.reaches("screening")
    screening = listener.session.screening
    assert isinstance(screening, Screening)
    for question in range(6):
        expect(listener.page.locator("#progress")).to_contain_text(f"check {question + 1} of 6")
        expect(listener.page.locator("#screening-play")).to_be_enabled()
        listener.page.keyboard.press(" ")
        choices = listener.page.locator("#screening-choices button")
        expect(choices.first).to_be_enabled(timeout=SLOW_MS)  # when all three have sounded
        listener.page.keyboard.press(str(screening.right(question) + 1))
    listener.reaches("level")
    assert listener.session.checks.score == 6


def test_nothing_that_the_page_receives_tells_what_x_is(serve, page_at):
    """Addresses, headers, sizes and hashes of all that a session receives, and the page itself."""
    listener, received = visitor(serve(TEXT), page_at), []
    listener.page.on("response", lambda response: received.append(response))
    listener.begins()
    listener.sets_level()
    seen = {0: [], 1: []}
    while not listener.is_done():
        number = len(listener.answers)
        listener.reaches_trial(number)
        if listener.is_done():
            break
        right = listener.session.trial().right
        before = len(received)
        listener.answers_abx(0)
        listener.reaches_trial(number + 1)
        content = listener.page.content()
        seen[right].append(received[max(0, before - 3) : before])
        if not listener.is_done():  # the result at the end may say what was played
            assert str(listener.session.seed) not in content and "−20" not in content
    bodies = [r.body() for r in received if "/trial/" in r.url]
    hashes = [hashlib.sha256(body).digest() for body in bodies]
    assert len(set(hashes)) == len(hashes) and len({len(body) for body in bodies}) == 1
    told = [r.json() for r in received if r.url.endswith(("/answer", "/state", "/level"))]
    assert sum("practice_right" in state for state in told) == 1  # of the one practice trial
    for state in told:
        assert set(state) - {"practice_right"} == {"step", "gain_db", "attempts", "trial"}
        assert not state["trial"] or set(state["trial"]) == {
            "number", "of", "practice", "paradigm", "sounds", "choices", "scale", "places",
            "answers",
        }  # fmt: skip
    for sounds in seen.values():
        assert sounds
        for a, b, x in (group for group in sounds if len(group) == 3):
            assert re.sub(r"\d+/\d+$", "", a.url) == re.sub(r"\d+/\d+$", "", x.url)
            kept = [{k: v for k, v in r.headers.items() if k != "date"} for r in (a, b, x)]
            assert kept[0] == kept[1] == kept[2]


# Where something is missing: JavaScript, sound, a place to store

NEEDS = re.compile("needs JavaScript, and a browser of 2022 or newer")
# of engines that know no `?.` and no `??`, as those of iPads of 2013
TOO_OLD = {"content_type": "text/javascript", "body": "let x = a ?.??. b;"}


@pytest.mark.parametrize("missing", ["", "/teacher"])
def test_a_page_without_javascript_says_what_it_needs(serve, browser, missing):
    server = serve(TEXT)
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{server.listeners}{missing}")
    assert NEEDS.search(page.locator("body").inner_text())
    context.close()


@pytest.mark.parametrize("script", ["player.js", "listen.js", "teacher.js"])
def test_a_browser_that_cannot_read_the_script_is_told_so(serve, browser, script):
    server = serve(TEXT)
    context = browser.new_context()
    context.route(f"**/{script}", lambda route: route.fulfill(**TOO_OLD))
    page = context.new_page()
    page.goto(server.listeners + ("/teacher" if script == "teacher.js" else ""))
    expect(page.locator("#old-browser")).to_have_text(NEEDS)
    expect(page.locator("#old-browser")).to_be_visible()
    context.close()


@pytest.mark.parametrize(
    "lacks", ["AudioContext", "HTMLDialogElement", "Element.prototype.replaceChildren"]
)
def test_a_browser_that_lacks_what_the_script_uses_is_told_so(serve, page_at, lacks):
    page = page_at(serve(TEXT).listeners)
    expect(page.locator("#welcome")).to_be_visible(timeout=SLOW_MS)
    expect(page.locator("#old-browser")).to_be_hidden()
    page.add_init_script(f"window.{lacks} = undefined")
    page.reload()
    expect(page.locator("#old-browser")).to_be_visible()
    expect(page.locator("#welcome")).to_be_hidden()


def test_the_teachers_page_hides_the_line_on_browsers(serve, page_at):
    page = page_at(serve(TEXT).teacher)
    expect(page.locator("#open")).to_be_visible(timeout=SLOW_MS)
    expect(page.locator("#old-browser")).to_be_hidden()


@pytest.mark.parametrize("by", ["click", "key"])
def test_who_hears_nothing_is_helped_and_comes_back(serve, page_at, by):
    listener = visitor(serve(TEXT), page_at, width=390)
    page, help_ = listener.page, listener.page.locator("#silent")
    page.check("#agree")
    page.click("#begin")
    listener.reaches("sound")
    expect(help_).to_be_hidden()
    page.get_by_role("button", name="I hear nothing").click() if by == "click" else (
        page.keyboard.press("0")
    )
    for told in ("Turn it up while the beeps play", "mute switch on its side", "sound settings",
                 "may still be connected to another phone", "muted it"):  # fmt: skip
        expect(help_).to_contain_text(told)
    expect(help_).to_be_focused()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="Back to the beeps").click()
    expect(help_).to_be_hidden()
    assert listener.session.checks.sample_rate is None  # nothing is stored of it
    page.click("#devices button[data-value=wireless]")
    page.click(f"#counts button[data-value='{beep_count(listener.session.check_seed)}']")
    listener.reaches("level")
    assert listener.session.checks.device == "wireless"


def test_a_wrong_count_brings_the_help(serve, page_at):
    listener = visitor(serve(TEXT), page_at, expected=("400",))
    page = listener.page
    page.check("#agree")
    page.click("#begin")
    listener.reaches("sound")
    page.click("#devices button[data-value=loudspeakers]")
    right = beep_count(listener.session.check_seed)
    page.click(f"#counts button[data-value='{right % 4 + 2 if right % 4 + 2 != right else 3}']")
    expect(page.locator("#notice")).to_contain_text("That is not how many there were")
    expect(page.locator("#silent")).to_contain_text("If you hear nothing, or too little")
    page.click(f"#counts button[data-value='{right}']")
    listener.reaches("level")


def test_the_mute_switch_of_newer_iphones_is_asked_to_let_sound_through(serve, page_at):
    listener = visitor(serve(TEXT), page_at)
    listener.page.add_init_script("navigator.audioSession = { type: 'auto' }")
    listener.page.reload()
    listener.begins()
    listener.sets_level()
    assert listener.page.evaluate("navigator.audioSession.type") == "playback"


REFUSED = {
    "no storage at all": """for (const area of ["localStorage", "sessionStorage"])
      Object.defineProperty(window, area, { get() { throw new DOMException("", "SecurityError") } })
    """,
    "a full one": "Storage.prototype.setItem = () => { throw new DOMException('') }",
    "one that forgets": "Storage.prototype.setItem = () => {}",
}


@pytest.mark.parametrize("refused", REFUSED.values(), ids=REFUSED.keys())
def test_where_the_browser_stores_nothing_the_page_says_so(serve, page_at, refused):
    listener = visitor(serve(TEXT, "--demo"), page_at)
    page, unkept = listener.page, listener.page.locator("#unkept")
    listener.reaches("welcome")
    expect(unkept).to_be_hidden()
    expect(page.locator("#until")).to_contain_text("so that a reload goes on")
    page.add_init_script(refused)
    page.reload()
    expect(unkept).to_contain_text("Do not reload or close it before the end")
    expect(page.locator("#until")).not_to_contain_text("reload")
    page.check("#agree")
    page.click("#begin")
    listener.reaches("sound")
    expect(unkept).to_be_visible()
    expect(page.locator("#code")).to_have_text(re.compile(r"^\w{4}(-\w{4}){3}$"))
    page.reload()
    listener.reaches("welcome")  # as it was told


def test_the_teachers_page_shows_the_class_and_ends_it(serve, page_at, tmp_path):
    url = f"sqlite:///{tmp_path}/answers.db"  # which two processes write to
    server = serve(AFC, "--store", url)
    store, token = open_store(url), server.listeners.rsplit("/", 1)[1]
    room = Host(store).find(token)
    teacher = page_at(server.teacher)
    expect(teacher.locator("#begun")).to_have_text("0", timeout=SLOW_MS)
    simulate(room, [Listener(-40.0)] * 2, seed=1)
    expect(teacher.locator("#finished")).to_have_text("2", timeout=SLOW_MS)
    expect(teacher.locator("#results svg")).to_be_visible()
    expect(teacher.locator("#results p")).to_contain_text("2 listeners")
    with teacher.expect_download() as table:
        teacher.click("#csv")
    assert table.value.path().read_bytes().startswith(b"\xef\xbb\xbfstudy,")
    expect(teacher.locator("#expires")).to_have_text(
        re.compile(r"^Answers are deleted on \d+ \w+ \d{4} at \d\d:\d\d$")
    )
    asked = []
    teacher.on("request", lambda request: asked.append(request.url))
    for thought in ("No, go back", "Close and delete"):
        teacher.click("#close")
        teacher.locator("#sure").get_by_role("button", name=thought).click()
    told = "The study is closed, and its answers are deleted."
    expect(teacher.locator("#notice")).to_have_text(told, timeout=SLOW_MS)
    assert store.studies() == []
    del asked[:]
    teacher.wait_for_timeout(4000)  # more than the time between two looks
    expect(teacher.locator("#notice")).to_have_text(told)
    expect(teacher.locator("#expires")).to_be_empty()
    assert asked == []


def test_the_link_on_the_teachers_page_says_where_it_works(serve, page_at):
    """Over plain http, but for this computer, browsers offer no clipboard."""
    server = serve(TEXT)
    teacher = page_at(server.teacher)
    expect(teacher.locator("#loopback")).to_contain_text("work on this computer only")
    teacher.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    teacher.reload()
    teacher.click("#copy")
    expect(teacher.locator("#notice")).to_contain_text("The link is selected: copy it")
    assert teacher.evaluate("getSelection().toString()") == server.listeners


def test_a_demonstrations_teacher_sees_results_only(serve, page_at):
    teacher = page_at(serve(TEXT, "--demo").teacher)
    expect(teacher.locator("#study")).to_be_visible(timeout=SLOW_MS)
    expect(teacher.locator("#csv")).to_be_hidden()
    expect(teacher.locator("#json")).to_be_hidden()
    expect(teacher.locator("#expires")).to_contain_text("A demonstration: in memory only")


# What comes out of the loudspeaker

RECORD = """(() => {
  const Plain = window.AudioContext;
  window.recorded = [];
  window.AudioContext = class extends Plain {
    constructor(options) {
      super(options);
      const tap = this.createScriptProcessor(16384, 1, 1);
      tap.onaudioprocess = ({ inputBuffer }) =>
        window.recorded.push(inputBuffer.getChannelData(0).slice());
      const both = this.createGain();
      both.connect(tap);
      both.connect(super.destination);
      tap.connect(super.destination);
      this.tapped = both;
    }
    get destination() { return this.tapped ?? super.destination; }
  };
})()"""


def test_switching_leaves_no_gap_and_no_click(serve, page_at):
    """The output stays within the perturbation of the clean loop: a gap would be as loud as it."""
    server = serve(TEXT.replace("practice: 1", "practice: 1, audible_db: -40"))
    listener = visitor(server, page_at)
    listener.begins()
    listener.sets_level(gain_db=-6)
    listener.page.add_init_script(RECORD)
    listener.page.reload()  # the context is made anew, at the locked level
    listener.reaches_trial(0)
    listener.hears("abx")
    for key in "baxbaxabxab" * 3:
        listener.page.wait_for_timeout(137)
        listener.page.keyboard.press(key)
    listener.page.wait_for_timeout(1500)
    blocks = listener.page.evaluate("window.recorded.map((block) => [...block])")
    heard, session = np.concatenate(blocks), listener.session
    (condition,) = session.study.procedure.conditions
    gain = 10 ** (-6 / 20)
    clean = gain * session.study.stimuli.render(condition, None)
    delta = gain * session.study.stimuli.render(condition, session.trial().level_db) - clean
    begun = np.flatnonzero(np.abs(heard) > 1e-6)[0]
    expected = np.resize(clean, len(heard))
    found = [
        np.abs(heard[begun:] - np.resize(np.roll(clean, shift), len(heard) - begun)).max()
        for shift in range(-20, 400)
    ]
    assert len(heard) - begun > 4 * 48_000 and np.abs(expected).max() > 0.2
    assert min(found) <= np.abs(delta).max() + 1e-5 < 0.02 * np.abs(clean).max()


MUSHRA = TEXT.replace(
    "kind: abx, levels_db: [-20], trials: 6, practice: 1, catch_every: 4",
    "kind: mushra, levels_db: [-40, -10], practice: 0",
)


def test_grades_are_given_for_every_item(serve, page_at):
    """The top of the scale too, where the slider stands before: by a key, and by a click there."""
    listener = visitor(serve(MUSHRA), page_at, width=390)
    listener.begins()
    listener.sets_level()
    listener.hears("r123")
    sliders, words = listener.page.locator("#answers input"), listener.page.locator("output")
    for item, key in enumerate(["End", "ArrowRight"]):
        sliders.nth(item).focus()
        listener.page.keyboard.press("Tab")  # passing by is no grade
        expect(words.nth(item)).to_have_text("not graded")
        sliders.nth(item).focus()
        listener.page.keyboard.press(key)
        expect(words.nth(item)).to_have_text("100 · excellent")
    expect(listener.page.locator("#submit")).to_be_disabled()
    expect(listener.page.locator("#hint")).to_contain_text("The grade of 3 is missing.")
    box = sliders.nth(2).bounding_box()
    listener.page.mouse.click(box["x"] + box["width"] - 8, box["y"] + box["height"] / 2)
    expect(words.nth(2)).to_have_text("100 · excellent")
    sliders.nth(2).fill("70")
    listener.page.keyboard.press("Enter")
    listener.reaches("done")
    (response,) = listener.session.responses
    assert response.answer == (100, 100, 70)
    expect(listener.page.locator("#result")).to_contain_text("hidden reference: you gave")


def test_ten_items_have_keys_that_play_themselves(serve, page_at):
    levels = [-70, -65, -60, -55, -50, -45, -40, -35, -30]
    listener = visitor(serve(MUSHRA.replace("[-40, -10]", str(levels))), page_at)
    listener.begins()
    listener.sets_level()
    places = listener.page.locator("#places button")
    expect(places).to_have_count(11, timeout=SLOW_MS)
    listener.page.keyboard.press("1")
    expect(places.nth(1)).to_have_attribute("aria-pressed", "true")
    expect(places.nth(10)).to_have_attribute("aria-pressed", "false")


def test_the_five_grades_are_those_of_the_recommendation(serve, page_at):
    text = MUSHRA.replace("kind: mushra", "kind: impairment").replace("[-40, -10]", "[-20]")
    listener = visitor(serve(text), page_at)
    listener.begins()
    listener.sets_level()
    expect(listener.page.locator("#scale")).to_contain_text("4: perceptible, but not annoying5: i")
    listener.hears("r12")
    slider, words = listener.page.locator("#answers input").first, listener.page.locator("output")
    for grade, expected in {
        "5": "imperceptible", "4.6": "perceptible, but not annoying", "4": "perceptible, but",
        "3.9": "slightly annoying", "2": "2 · annoying", "1.5": "very annoying",
    }.items():  # fmt: skip
        slider.fill(grade)
        expect(words.first).to_contain_text(expected)


def test_who_stops_midway_may_delete_and_sees_the_code(serve, page_at):
    listener = visitor(serve(TEXT), page_at, width=390)
    expect(listener.page.locator("#stop")).to_be_hidden()
    listener.begins()
    expect(listener.page.locator("#code")).to_have_text(listener.code)
    listener.sets_level()
    listener.reaches_trial(0)
    listener.page.reload()
    listener.reaches_trial(0)
    expect(listener.page.locator("#code")).to_have_text(listener.code)
    listener.deletes()
    assert listener.code is None
    folder = listener.server.folder / "answers"
    assert [path.name for path in folder.rglob("*.jsonl")] == ["study.jsonl"]


def test_a_shared_computer_is_handed_on_and_a_code_deletes_however_it_is_typed(serve, page_at):
    listener = visitor(serve(TEXT.replace("trials: 6", "trials: 2")), page_at, expected=("404",))
    page = listener.page
    listener.begins()
    listener.sets_level()
    while not listener.is_done():
        listener.reaches_trial(len(listener.answers))
        if not listener.is_done():
            listener.answers_abx(0)
            listener.reaches_trial(len(listener.answers))
    code = listener.code
    page.reload()
    listener.reaches("done")
    for thought in ("No, go back", "Somebody else's turn"):
        page.click("#turn")
        expect(page.locator("#sure-question")).to_contain_text(code)
        listener.thinks(thought)
    listener.reaches("welcome")
    assert listener.code is None and listener.server.session(code).responses
    expect(page.locator("#agree")).not_to_be_checked()
    expect(page.locator("#begin")).to_be_disabled()
    for typed, told in {"abc – 1": "That is no code", "A" * 16: "There is no such session"}.items():
        page.click("#have-code")
        page.locator("#recover-code").fill(typed)
        page.keyboard.press("Enter")
        listener.thinks("Delete them")
        expect(page.locator("#notice")).to_contain_text(told)
        page.click("#recover-back")
        listener.reaches("welcome")
        expect(page.locator("#notice")).to_be_empty()
    page.click("#have-code")
    page.locator("#recover-code").fill(f" {code.lower().replace('-', ' – ')}")
    page.keyboard.press("Enter")
    listener.thinks("Delete them")
    listener.reaches("deleted")
    assert [path.name for path in (listener.server.folder / "answers").rglob("*.jsonl")] == [
        "study.jsonl"
    ]
    page.click("#anew")
    listener.reaches("welcome")


def test_a_phone_is_told_of_no_keys(serve, page_at):
    listener = visitor(serve(TEXT), page_at, width=390)
    listener.page.add_init_script(
        "const asked = matchMedia.bind(window);"
        "window.matchMedia = (of) => of === '(hover: none)' ? { matches: true } : asked(of)"
    )
    listener.page.reload()
    listener.begins()
    listener.sets_level()
    hint = listener.page.locator("#hint")
    expect(hint).to_have_text("Tap a sound to hear it. Listen to each at least once.")
    listener.hears("abx")
    expect(hint).to_have_text("Switch as often as you like.")


def test_long_words_in_titles_and_names_stay_on_the_page(serve, page_at):
    long = "W" * 90
    server = serve(AFC.replace("A short test", long).replace("seven,", f"{long},"))
    for address, shown in ((server.listeners, "#welcome"), (server.teacher, "#open")):
        page = page_at(address, width=390)
        expect(page.locator(shown)).to_be_visible(timeout=SLOW_MS)
        expect(page.locator("#title")).to_have_text(long)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_reload_keeps_plays_switches_and_the_time(serve, page_at):
    listener = visitor(serve(TEXT), page_at)
    listener.begins()
    listener.sets_level()
    listener.reaches_trial(0)
    listener.hears("abx")
    listener.page.wait_for_timeout(1500)
    listener.page.reload()
    listener.reaches_trial(0)
    listener.answers_abx(0)
    listener.reaches_trial(1)
    (response,) = listener.session.responses
    assert (response.plays, response.switches) == (2, 4) and response.response_time_s > 1.5


def test_a_break_is_offered_after_forty_trials(serve, page_at):
    listener = visitor(serve(TEXT.replace("trials: 6", "trials: 60")), page_at)
    listener.begins()
    listener.sets_level()
    listener.reaches_trial(0)
    how = {"answer": 0, "response_time_s": 1, "plays": 1, "switches": 2}
    for number in range(40):
        listener.posts("answer", trial=number, **how)
    listener.page.reload()
    listener.reaches("break")
    listener.page.keyboard.press("Enter")
    listener.reaches_trial(40)


def test_a_link_that_leads_nowhere_says_what_the_server_says(serve, page_at):
    page = page_at(serve(TEXT).listeners[:-3] + "xyz", expected=("404", "410"))
    expect(page.locator("#reason")).to_contain_text(
        "There is no study at this link", timeout=SLOW_MS
    )


def test_a_server_that_keeps_failing_is_quoted_and_asked_again(serve, page_at):
    listener = visitor(serve(TEXT), page_at, expected=("503",))
    listener.begins()
    listener.sets_level()
    listener.reaches_trial(0)
    full = {"status": 503, "json": {"error": "the server cannot write: the disk is full."}}
    listener.page.route("**/answer", lambda route: route.fulfill(**full))
    listener.answers_abx(1)
    notice = listener.page.locator("#notice")
    expect(notice).to_contain_text("The server cannot write: the disk is full.", timeout=SLOW_MS)
    assert listener.session.responses == ()
    listener.page.unroute("**/answer")
    listener.page.click("#again")
    listener.reaches_trial(1)
    expect(notice).to_be_empty()
    assert [response.answer for response in listener.session.responses] == [1]


def test_after_the_last_attempt_at_the_headphone_test_nothing_more_is_asked(serve, page_at):
    server = serve(TEXT.replace("screening: none", "screening: antiphase"))
    listener = visitor(server, page_at)
    listener.begins()
    listener.reaches("screening")
    for _ in range(MOST_ATTEMPTS):
        screening = listener.session.screening
        listener.posts("screening", answers=[(screening.right(n) + 1) % 3 for n in range(6)])
    listener.page.reload()
    listener.reaches("screening")
    expect(listener.page.locator("#screening-test")).to_be_hidden()
    listener.page.click("#unscreened")
    listener.reaches("level")


def test_a_demonstration_says_what_it_keeps_and_for_how_long(serve, page_at):
    """Where answers are stored is the server's sentence, shown if there is one."""
    page = page_at(serve(TEXT).listeners)
    told = {"demo": True, "kept": "In the memory of this server, not public."}
    page.route("**/study", lambda route: route.fulfill(json=route.fetch().json() | told))
    page.reload()
    expect(page.locator("#until")).to_have_text(
        re.compile(r"The server stops, or the test ends \(\d+ \w+ \d{4} at \d\d:\d\d\): this")
    )
    expect(page.locator("#where")).to_have_text(told["kept"])
    expect(page.locator("#have-code")).to_be_visible()
    expect(page.locator("#length")).to_have_text(
        "About 5 minutes for about 10 questions, 1 of them practice."
    )
