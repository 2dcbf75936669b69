"""What the pages of one open study ask for, and what they may be told."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil
from typing import Any

from robustaudio.limits import PRIVATE
from robustaudio.listening.design.stimulus import RATE
from robustaudio.listening.design.study import Study
from robustaudio.listening.design.trial import CHOICES, SCALES, Trial
from robustaudio.listening.run import blind_wav, headphones, session
from robustaudio.listening.run.admission import Admission
from robustaudio.listening.run.session import Session, hour, session_of
from robustaudio.listening.run.store import DAMAGED, Event, MemoryStore, Store

CACHED_TRIALS = 4_096
# seconds that a trial takes, about; of ratings per item (a guess, to tell listeners the minutes)
TRIAL_S = {"abx": 14.0, "2afc": 8.0, "3afc": 11.0, "mushra": 15.0, "impairment": 15.0}
CHECKS_S = 120.0  # consent, sound, headphones, level
QUESTIONS = {
    "abx": "Is X the same as A or as B?",
    "2afc": "Which one was changed?",
    "3afc": "Which one of the three was changed?",
    "mushra": "How close is each to the reference?",
    "impairment": "How much worse than the reference is each?",
}
NOISES = {"white", "shaped"}  # families whose every change is noise: then it may be called so
OF_NOISES = {"2afc": "Which one is noisier?", "3afc": "Which one is the noisiest of the three?"}


@dataclass(frozen=True)
class Reading:
    """All that can be read of a study's listeners, and what cannot."""

    sessions: dict[str, Session]
    damaged: dict[str, int]  # lines that cannot be read or are missing, by the listener's name
    of_study: int  # such lines of the study itself
    strays: list[str]  # what is not read, for no listener is called so
    trouble: str = ""  # of the store as a whole

    @property
    def unreadable(self) -> int:
        """Lines in all; where the store itself is damaged, at least one."""
        return sum(self.damaged.values()) + self.of_study or int(bool(self.trouble))


@dataclass(eq=False)
class OpenStudy:
    """What one study's pages ask for. Every answer leaves as an event before the next question.

    Where it cannot be read when a study ends, `closed` says so: listeners are not let in, and
    `expires` is the last end that can be read, or a time that does not come.
    """

    token: str
    study: Study
    store: Store
    expires: datetime
    closed: str = ""
    damaged: int = 0  # lines of the study itself that cannot be read
    unused_hours: float = PRIVATE.unused_hours  # until a listener who passed no check is forgotten
    _trials: OrderedDict[tuple[str, int], Trial | None] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _analysis: tuple[Hashable, dict[str, Any]] | None = None
    _analysis_lock: threading.Lock = field(default_factory=threading.Lock)
    _replayed: dict[str, tuple[Hashable, Session]] = field(default_factory=dict)
    admission: Admission = field(init=False)

    def __post_init__(self) -> None:
        self.admission = Admission(self.store, self.token, self.unused_hours)

    @property
    def demo(self) -> bool:
        """Whether answers are in memory alone, and single ones told to nobody."""
        return isinstance(self.store, MemoryStore)

    def description(self) -> dict[str, Any]:
        """What a listener reads before anything is stored."""
        first = self.study.procedure.next((), 0)
        assert first is not None
        texts, trials = self.study.texts, self.study.procedure.expected_trials
        items = 1 if first.paradigm in CHOICES else len(first.intervals)
        questions = QUESTIONS | (OF_NOISES if NOISES.issuperset(self.study.families) else {})
        return {
            "title": self.study.title,
            "about": texts.about,
            "question": texts.question or questions[first.paradigm],
            "purpose": texts.purpose,
            "contact": texts.contact,
            "kept": self.store.kept,
            "paradigm": first.paradigm,
            "trials": trials,
            "practice": self.study.procedure.practice,
            "minutes": ceil((CHECKS_S + trials * items * TRIAL_S[first.paradigm]) / 60),
            "screening": self.study.screening,
            "most_attempts": session.MOST_ATTEMPTS,
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
        code = session.new_code()
        self.admission.admit(session.start(self.token, session_of(code)))
        return {"code": code, **self.state(code)}

    def state(self, code: str) -> dict[str, Any]:
        """Where the listener stands; of a trial only what may be known."""
        name, current = self.find(code)
        step, trial = current.step, None
        if step == "trial" and (trial := self._trial(name, current)) is None:
            step = "done"
            answers = len(current.responses)
            end = Event(self.token, name, "end", 0, {"hour": hour(), "answers": answers})
            self.store.append(end)
        return {
            "step": step,
            "gain_db": current.checks.get("gain_db"),
            "attempts": current.checks["attempts"],
            "trial": trial and self._shown(trial),
        }

    def check(self, code: str, kind: str, told: dict[str, Any]) -> dict[str, Any]:
        """Sound, screening, going on unscreened, level: each in its turn, others change nothing."""
        name, current = self.find(code)
        if current.step != ("screening" if kind == "unscreened" else kind):
            return self.state(code)
        match kind:
            case "sound":
                event = session.sound(self.token, name, told, current)
            case "screening":
                event = session.screening(self.token, name, told, current)
            case "unscreened":
                event = session.unscreened(self.token, name)
            case _:
                event = session.level(self.token, name, told)
        if kind == "sound":
            self.admission.passed(event)
        else:
            self.store.append(event)
        return self.state(code)

    def answer(self, code: str, told: dict[str, Any]) -> dict[str, Any]:
        """Stores the answer to the current trial; one to an earlier trial changes nothing.

        Whether it was right is told of practice alone, which shows what to listen for.
        """
        name, current = self.find(code)
        number = told.get("trial")
        last = len(current.asked)
        if type(number) is not int or not 0 <= number <= last or current.step != "trial":
            raise ValueError(f"trial {number!r} has not been asked yet.")
        trial = self._trial(name, current)
        if trial is not None and number == trial.number:
            self.store.append(session.answer(self.token, name, told, trial))
        state = self.state(code)
        if number < self.study.procedure.practice:
            state["practice_right"] = self.find(code)[1].asked[number].correct
        return state

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
        """Deletes all of a listener's answers, damaged ones too.

        Raises:
            LookupError: for a code that nobody has.
        """
        name = session.session_of(code)
        if not self.store.read(self.token, name):
            raise LookupError(session.NO_SESSION)
        self.store.delete(self.token, name)
        return {"step": "deleted"}

    def remembered(self, of: Hashable, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What `make` found of the same listeners before: pages ask for it every few seconds."""
        with self._analysis_lock:
            if not self._analysis or self._analysis[0] != of:
                self._analysis = (of, make())
            return self._analysis[1]

    def reading(self) -> Reading:
        """All listeners, each as far as their events can be read.

        Only who did something since the last time is read again.
        """
        before, stamps = self._replayed, self.store.stamps(self.token)
        sessions, damaged = {}, {}
        for name, stamp in stamps.items():
            if name in before and before[name][0] == stamp:
                sessions[name] = before[name][1]
                if sessions[name].damaged:
                    damaged[name] = sessions[name].damaged
                continue
            try:
                sessions[name] = Session.saved(self.study, self.store.read(self.token, name))
                lost = sessions[name].damaged
            except (OSError, ValueError, LookupError):  # one listener's trouble is not the others'
                lost = 1
            if lost:
                damaged[name] = lost
        self._replayed = {
            name: (stamp, sessions[name])
            for name, stamp in stamps.items()
            if name in sessions and stamp is not None
        }
        strays, trouble = self.store.strays(self.token), self.store.trouble
        return Reading(sessions, damaged, self.damaged, strays, trouble)

    def sessions(self) -> dict[str, Session]:
        """All listeners of whom anything can be read, by their names in the store."""
        return self.reading().sessions

    def whole_and_damaged(self) -> tuple[dict[str, Session], list[str]]:
        """`sessions`, and the names of those of whom something cannot be read."""
        reading = self.reading()
        return reading.sessions, [*reading.damaged]

    def find(self, code: str) -> tuple[str, Session]:
        """A listener's name in the store, and where they stand.

        Raises:
            LookupError: for a code that nobody has.
        """
        name = session_of(code)
        events = self.store.read(self.token, name)
        if len(events) == 1 and events[0].kind not in ("start", DAMAGED):
            # it came in while all was deleted
            self.store.delete(self.token, name)
            raise LookupError(session.NO_SESSION)
        return name, Session.replay(self.study, events)

    def _trial(self, name: str, current: Session) -> Trial | None:
        """The next trial, found once; its sounds are made then, so that none takes longer later."""
        key = (name, len(current.asked))
        with self._lock:
            if key in self._trials:
                return self._trials[key]
        trial = current.trial()
        if trial is not None:
            for level_db in _played(trial):
                self.study.stimuli.render(trial.condition, level_db)
        with self._lock:
            self._trials[key] = trial
            if len(self._trials) > CACHED_TRIALS:
                self._trials.popitem(last=False)
        return trial

    def _shown(self, trial: Trial) -> dict[str, Any]:
        """All that the page may know of a trial: a catch trial looks like any other."""
        return {
            "number": trial.number,
            "of": self.study.procedure.expected_trials,
            "practice": trial.kind == "practice",
            "paradigm": trial.paradigm,
            "sounds": len(_played(trial)),
            "choices": CHOICES.get(trial.paradigm),
            "scale": SCALES.get(trial.paradigm),
        }


def _played(trial: Trial) -> tuple[float | None, ...]:
    """The levels behind the buttons: where grades are asked, the open reference is the first."""
    return trial.intervals if trial.paradigm in CHOICES else (None, *trial.intervals)
