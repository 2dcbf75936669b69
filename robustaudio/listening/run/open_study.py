"""One open study: what its pages ask for, and what they may know."""

import threading
from collections.abc import Callable, Hashable
from contextlib import suppress
from datetime import datetime
from math import ceil
from typing import Any, TypeVar

from robustaudio.listening.design.paradigm import Choice
from robustaudio.listening.design.stimulus import RATE
from robustaudio.listening.design.study import Study
from robustaudio.listening.design.trial import Trial
from robustaudio.listening.run import blind_wav, headphones, sent
from robustaudio.listening.run.admission import Admission
from robustaudio.listening.run.replays import Reading, Replays
from robustaudio.listening.run.session import NO_SESSION, Session, hour, new_code, session_of
from robustaudio.listening.run.store import Event, MemoryStore, Store
from robustaudio.serving.limits import PRIVATE

T = TypeVar("T")
CACHED_TRIALS = 4_096
CHECKS_S = 120.0  # consent, sound, headphones, level
NOISES = {"white", "shaped"}  # families whose every change is noise: then it may be called so


class OpenStudy:
    """What one study's pages ask for. Every answer leaves as an event before the next question.

    Where it cannot be read when a study ends, `closed` says so: listeners are not let in, and
    `expires` is the last end that can be read, or a time that does not come.
    """

    def __init__(
        self, token: str, study: Study, store: Store, expires: datetime,
        unused_hours: float = PRIVATE.unused_hours,
    ) -> None:  # fmt: skip
        self.token, self.study, self.store = token, study, store
        self.expires, self.closed = expires, ""
        self.damaged = 0  # lines of the study itself that cannot be read
        self.admission = Admission(store, token, unused_hours)
        self.replays = Replays(study, store, token)
        self._trials: dict[tuple[str, int], Trial | None] = {}
        self._analysis: tuple[Hashable, Any] | None = None
        self._analysis_lock = threading.Lock()

    @property
    def demo(self) -> bool:
        """Whether answers are in memory alone, and single ones told to nobody."""
        return isinstance(self.store, MemoryStore)

    def description(self) -> dict[str, Any]:
        """What a listener reads before anything is stored."""
        first = self.study.procedure.next((), 0)
        assert first is not None
        paradigm, texts = first.paradigm, self.study.texts
        trials = self.study.procedure.expected_trials
        items = 1 if isinstance(paradigm, Choice) else len(first.intervals)
        noise = paradigm.question_of_noise if NOISES.issuperset(self.study.families) else None
        return {
            "title": self.study.title,
            "about": texts.about,
            "question": texts.question or noise or paradigm.question,
            "purpose": texts.purpose,
            "contact": texts.contact,
            "kept": self.store.kept,
            "paradigm": paradigm.name,
            "unit": paradigm.unit,
            "trials": trials,
            "practice": self.study.procedure.practice,
            "minutes": ceil((CHECKS_S + trials * items * paradigm.seconds) / 60),
            "screening": self.study.screening,
            "most_attempts": sent.MOST_ATTEMPTS,
            "expires": self.expires.isoformat(timespec="minutes"),
            "demo": self.demo,
        }

    def begin(self, agreed: object) -> dict[str, Any]:
        """A new session, after consent: the code is told once, and not kept.

        Raises:
            ValueError: without consent, or when there have been too many listeners.
        """
        if agreed is not True:
            raise ValueError("a session begins with consent: agreed must be true.")
        code = new_code()
        self.admission.admit(sent.start(self.token, session_of(code)))
        return {"code": code, **self.state(code)}

    def state(self, code: str) -> dict[str, Any]:
        """Where the listener stands; of a trial only what may be known."""
        return self._state(*self.find(code))

    def check(self, code: str, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        """Sound, screening, going on unscreened, level: each in its turn, others change nothing."""
        name, current = self.find(code)
        if current.step != ("screening" if kind == "unscreened" else kind):
            return self._state(name, current)
        index = current.checks.attempts if kind == "screening" else 0
        event = Event(self.token, name, kind, index, sent.check(kind, body, current))
        if kind == "sound":
            self.admission.passed(event)
        else:
            self.store.append(event)
        return self.state(code)

    def answer(self, code: str, body: dict[str, Any]) -> dict[str, Any]:
        """Store the answer to the current trial; one to an earlier trial changes nothing.

        Whether it was right is told of practice alone, which shows what to listen for.
        """
        name, current = self.find(code)
        number = body.get("trial")
        last = len(current.asked)
        if type(number) is not int or not 0 <= number <= last or current.step != "trial":
            raise ValueError(f"trial {number!r} has not been asked yet.")
        trial = self._trial(name, current)
        if trial is not None and number == trial.number:
            self.store.append(sent.answer(self.token, name, body, trial))
            current = self.replays.session(name)
        state = self._state(name, current)
        if number < self.study.procedure.practice:
            state["practice_right"] = current.asked[number].correct
        return state

    def _state(self, name: str, current: Session) -> dict[str, Any]:
        step, trial = current.step, None
        if step == "trial" and (trial := self._trial(name, current)) is None:
            step = "done"
            data = {"hour": hour(), "answers": len(current.responses)}
            self.store.append(Event(self.token, name, "end", 0, data))
        return {
            "step": step,
            "gain_db": current.checks.gain_db,
            "attempts": current.checks.attempts,
            "trial": trial and self._shown(trial),
        }

    def sound(self, code: str, number: int, place: int) -> bytes:
        """What one button of the current trial plays; a reference comes before what is graded."""
        name, current = self.find(code)
        trial = self._trial(name, current) if current.step == "trial" else None
        if trial is None or trial.number != number or not 0 <= place < len(_played(trial)):
            raise LookupError(f"sound {place} of trial {number} is not to be heard now.")
        return blind_wav.encode(
            self.study.stimuli.render(trial.condition, _played(trial)[place]), RATE
        )

    def check_sound(self, code: str, kind: str, question: int = 0) -> bytes:
        """Beeps, a question of the screening, or the loudest sound of all, each in its step."""
        _, current = self.find(code)
        match kind, current.step:
            case "beeps", "sound":
                sound = headphones.beeps(current.check_seed)
            case "screening", "screening" if 0 <= question < headphones.QUESTIONS:
                sound = current.screening.sound(question)
            case "level", "level":
                sound = self.study.stimuli.render(*self.study.stimuli.loudest)
            case _:
                raise LookupError(f"sound {kind!r} {question} is not to be heard now.")
        return blind_wav.encode(sound, RATE)

    def forget(self, code: str) -> dict[str, Any]:
        """Delete all of a listener's answers, damaged ones too.

        Raises:
            LookupError: for a code that nobody has.
        """
        name = session_of(code)
        if not self.store.read(self.token, name):
            raise LookupError(NO_SESSION)
        self.store.delete(self.token, name)
        return {"step": "deleted"}

    def remembered(self, listeners: Hashable, make: Callable[[], T]) -> T:
        """What `make` made of the same listeners before: pages ask for it every few seconds."""
        with self._analysis_lock:
            if not self._analysis or self._analysis[0] != listeners:
                self._analysis = (listeners, make())
            return self._analysis[1]

    def reading(self) -> Reading:
        """All listeners, each as far as their events can be read."""
        return self.replays.read(self.damaged)

    def sessions(self) -> dict[str, Session]:
        """All listeners of whom anything can be read, by their names in the store."""
        return self.reading().sessions

    def find(self, code: str) -> tuple[str, Session]:
        """A listener's name in the store, and where they stand.

        Raises:
            LookupError: for a code that nobody has.
        """
        name = session_of(code)
        return name, self.replays.session(name)

    def _trial(self, name: str, current: Session) -> Trial | None:
        """The next trial, found once; its sounds are made then, so that none takes longer later."""
        key = (name, len(current.asked))
        with suppress(KeyError):
            return self._trials[key]
        trial = current.trial()
        if trial is not None:
            for level_db in _played(trial):
                self.study.stimuli.render(trial.condition, level_db)
        if len(self._trials) >= CACHED_TRIALS:
            self._trials.clear()
        self._trials[key] = trial
        return trial

    def _shown(self, trial: Trial) -> dict[str, Any]:
        """All that the page may know of a trial: a catch trial looks like any other."""
        return {
            "number": trial.number,
            "of": self.study.procedure.expected_trials,
            "practice": trial.kind == "practice",
            "sounds": len(_played(trial)),
            **trial.paradigm.shown(trial.intervals),
        }


def _played(trial: Trial) -> tuple[float | None, ...]:
    """The levels behind the buttons: where grades are asked, the open reference is the first."""
    return trial.paradigm.played(trial.intervals)
