"""Study files: YAML or JSON, written by a teacher or exported by the page.

Sounds are files beside it, clips that ship with the project (`bundled:seven-slt.wav`), or sound
files inside it (`data:audio/wav;base64,`), so that an exported study is complete in itself.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from difflib import get_close_matches
from json import JSONDecodeError
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import ComposerError
from yaml.reader import ReaderError

from robustaudio.audio.clip import Clip
from robustaudio.audio.datasets import BUNDLED as CLIPS
from robustaudio.columns import Column, columns_of
from robustaudio.listening.design import study_sound
from robustaudio.listening.design.pairing import paired
from robustaudio.listening.design.stimulus import RATE
from robustaudio.listening.design.study import (
    LONGEST_NAME,
    NAME,
    PROCEDURES,
    Model,
    Study,
    StudyClip,
    Texts,
)
from robustaudio.listening.design.trial import Condition
from robustaudio.outside import check_characters, loads, read_text, shown

BUNDLED, INSIDE = "bundled:", "data:"  # what the places of sounds begin with
MOST_CONDITIONS = 24
MOST_TRIALS = 400
LONGEST, LONGEST_YAML = 50_000_000, 100_000  # characters; PyYAML reads some 40 000 in a second
LARGEST = 10**300  # of a whole number, which may have to be a float
MOST_PROBLEMS, LONGEST_PROBLEM = 12, 300  # in a message, and characters of each


class StudyError(ValueError):
    """A study file that cannot be used; the message lists what is wrong with it."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        lines, half = [], LONGEST_PROBLEM // 2
        for problem in problems[:MOST_PROBLEMS]:
            if len(problem) > LONGEST_PROBLEM:  # its value is long; the end says what is right
                problem = f"{problem[:half]} … {problem[-half:]}"
            lines.append(f"- {problem}")
        if (rest := len(problems) - MOST_PROBLEMS) > 0:
            lines.append(f"- and {rest} more.")
        super().__init__("\n".join(["the study cannot be used:", *lines]))


def load_study(path: Path, *, uploaded: bool = False) -> Study:
    """Reads a study file; the sounds that it names are looked up beside it.

    One that was uploaded may name no files.

    Raises:
        StudyError: with everything that is wrong.
    """
    try:
        text = read_text(path, LONGEST, path.name if uploaded else str(path))
    except ValueError as error:
        raise StudyError([str(error)]) from error
    return parse(text, None if uploaded else path.resolve().parent)


def parse(text: str, folder: Path | None) -> Study:
    """A study from YAML or JSON; without a folder it may name no files of this machine.

    Raises:
        StudyError: with everything that is wrong.
    """
    if len(text) > LONGEST:
        raise StudyError([f"it has {len(text)} characters; {LONGEST} are the most."])
    repeated: list[str] = []

    def mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        repeated.extend(_repeated(key for key, _ in pairs))
        return dict(pairs)

    try:  # JSON is YAML as well, and read much faster so
        written = loads(text, "it", pairs=mapping)
    except ValueError as error:
        if not isinstance(error.__cause__, JSONDecodeError):
            raise StudyError([str(error)]) from error
        if len(text) > LONGEST_YAML:
            most = f"YAML may have {LONGEST_YAML} characters, not {len(text)}"
            raise StudyError([f"it is not JSON ({error.__cause__}), and {most}."]) from error
        written, repeated = _from_yaml(text)
    return _Reader(folder, repeated).study(written)


def study_in(record: Any) -> Study:
    """The study of a record that `Study.record` made: its sounds were judged then.

    They stay as they are, sample for sample; only what could not be played is refused.

    Raises:
        StudyError: with everything that is wrong.
    """
    return _Reader(None, [], judged=True).study(record)


def recorded(study: Study) -> dict[str, Any]:
    """The study's record, which `study_in` reads as the same study; it is not too long for that.

    Raises:
        ValueError: if it would be another one, or could not be read.
    """
    record = study.record()
    size = len(json.dumps(record, ensure_ascii=False).encode())  # as stores write it
    if size > LONGEST:
        sounds = [clip for item in study.clips for clip in (item.clip, *item.perturbed.values())]
        seconds = sum(clip.duration_s for clip in sounds)
        raise ValueError(
            f"its sounds last {seconds:.0f} s in all, which makes {size} bytes; {LONGEST} are the "
            "most, so take fewer or shorter ones."
        )
    if study_in(record).digest != study.digest:
        raise ValueError("its sounds would not be the same again.")
    return record


class _PlainLoader(yaml.SafeLoader):
    """YAML without aliases, by which a short text may stand for a giant one."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.repeated: list[str] = []

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            words = "aliases such as *name are not known here"
            raise ComposerError(None, None, words, self.peek_event().start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict:
        if isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            self.repeated += _repeated(keys)
        return super().construct_mapping(node, deep)


def _from_yaml(text: str) -> tuple[Any, list[str]]:
    """What the text says, and which keys it repeats."""
    try:
        loader = _PlainLoader(text)
        written = loader.get_single_data()
        check_characters(written, "it")
        return written, loader.repeated
    except RecursionError as error:
        raise StudyError(["it is nested too deeply."]) from error
    except (yaml.YAMLError, ValueError, LookupError, AttributeError) as error:
        # the latter ones of a value that its tag does not know, such as a date that there is not
        raise StudyError([f"neither YAML nor JSON: {_in_yaml(text, error)}."]) from error


def _repeated(keys: Iterable[str]) -> list[str]:
    counts = Counter(keys).items()
    return [f"key {key} is given {n} times; once would be right." for key, n in counts if n > 1]


def _in_yaml(text: str, error: Exception) -> str:
    """What is wrong with YAML, and where."""
    if isinstance(error, yaml.MarkedYAMLError):
        marked = (error.context, error.context_mark), (error.problem, error.problem_mark)
        return ", ".join(
            f"{words} (line {mark.line + 1}, column {mark.column + 1})" if mark else words
            for words, mark in marked
            if words
        )
    if isinstance(error, ReaderError):
        before = text[: error.position].splitlines() or [""]
        return f"{error.reason} (line {len(before)}, column {len(before[-1]) + 1})"
    return str(error)


class _Reader:
    """Reads a study's parts and collects what is wrong, so that all of it is said at once."""

    def __init__(self, folder: Path | None, problems: list[str], *, judged: bool = False) -> None:
        self.folder, self.problems, self.judged = folder, problems, judged
        self.samples = 0  # of all sounds that were read
        self.asked: tuple[str, ...] = ()  # families

    def study(self, written: Any) -> Study:
        if not isinstance(written, dict):
            raise StudyError(["a study is a mapping with title, clips, families and procedure."])
        needed = ("title", "clips", "families", "procedure")
        columns = columns_of(Study)
        self.check("", written, columns, ("texts", "model"), needed)
        options: dict[str, Any] = {}
        clips: tuple[StudyClip, ...] = ()
        with self.noting():
            self.asked = self.families(written.get("families"))
        with self.noting():
            options = self.options(written.get("procedure"))
        texts, model = self.part("texts", Texts, written), self.part("model", Model, written)
        with self.noting():
            clips = self.clips(written.get("clips"))
        self.stop()
        given = {name: written[name] for name in columns if name in written}
        study = Study(
            clips=clips, families=self.asked, options=options, texts=texts, model=model, **given
        )
        with self.noting():  # what only shows when everything is put together
            trials, conditions = study.procedure.expected_trials, len(study.procedure.conditions)
            if conditions > MOST_CONDITIONS or trials > MOST_TRIALS:
                raise ValueError(
                    f"{conditions} conditions and about {trials} trials are too many; "
                    f"{MOST_CONDITIONS} and {MOST_TRIALS} are the most."
                )
            longest = getattr(study.procedure, "max_trials", 0)  # of a track
            if longest > MOST_TRIALS:
                raise ValueError(f"max_trials {longest} must be at most {MOST_TRIALS}.")
            if not self.judged:
                self.problems += study.unanswerable()
        self.stop()
        return study

    @contextmanager
    def noting(self, where: str = "") -> Iterator[None]:
        """Go on after an error, whose sentence is a problem more."""
        try:
            yield
        except ValueError as error:
            self.problems.append(f"{where}{error}")

    def stop(self) -> None:
        if self.problems:
            raise StudyError(self.problems)

    def check(
        self, where: str, written: Mapping, columns: Mapping[str, Column],
        others: tuple = (), needed: tuple = (),
    ) -> None:  # fmt: skip
        """Notes keys that are unknown or missing, and values that their columns do not allow."""
        strange, known = [], [*dict.fromkeys((*needed, *others, *columns))]
        for place, key in enumerate(_name(key) for key in written if key not in known):
            looked_up = place < MOST_PROBLEMS and len(key) <= LONGEST_NAME
            if close := get_close_matches(key, known, 1) if looked_up else []:
                self.problems.append(f"unknown key {where}{key}; did you mean {close[0]!r}?")
            else:
                strange.append(f"{where}{key}")
        if strange:
            keys = f"unknown key{'s' * (len(strange) > 1)} {', '.join(strange)}"
            self.problems.append(f"{keys}; known: {', '.join(known)}.")
        self.problems += [f"{where}{key} is missing." for key in needed if key not in written]
        for name, column in columns.items():
            if name in written and not column.allows(written[name]):
                value = shown(written[name], LONGEST)  # what is too long is cut in the message
                self.problems.append(f"{where}{name} {value} must be {column.right}.")

    def part(self, name: str, kind: type, written: Mapping) -> Any:
        """A group of optional keys, which are the fields of `kind`."""
        part = written.get(name) or {}
        if not isinstance(part, dict):
            self.problems.append(f"{name} must be a mapping.")
            return kind()
        columns = {key: replace(column, optional=True) for key, column in columns_of(kind).items()}
        self.check(f"{name}.", part, columns)
        return kind(**{key: part[key] for key in columns if part.get(key) is not None})

    def families(self, written: Any) -> tuple[str, ...]:
        if isinstance(written, list) and 1 <= len(written) <= MOST_CONDITIONS:
            names = tuple(_name(name) for name in written if not isinstance(name, list | dict))
            if len({*names}) == len(written) and all(0 < len(n) <= LONGEST_NAME for n in names):
                return names
        raise ValueError(
            f"families must be a list of 1 to {MOST_CONDITIONS} names, each once, of at most "
            f"{LONGEST_NAME} characters."
        )

    def clips(self, written: Any) -> tuple[StudyClip, ...]:
        if not isinstance(written, list) or not 1 <= len(written) <= MOST_CONDITIONS:
            count = f", not {len(written)}" if isinstance(written, list) else ""
            raise ValueError(f"clips must be a list of 1 to {MOST_CONDITIONS}{count}.")
        if len(written) * len(self.asked) > MOST_CONDITIONS:
            raise ValueError(
                f"{len(written)} clips under {len(self.asked)} families are too many; "
                f"{MOST_CONDITIONS} conditions are the most."
            )
        study_sound.check_room(sum(map(self.declared, written)))
        clips = [self.clip(f"clips[{n}].", entry) for n, entry in enumerate(written)]
        names = [sounds.clip.name for sounds in clips if sounds]
        if len(set(names)) < len(names):
            raise ValueError(f"clips {names} must have different names.")
        return tuple(sounds for sounds in clips if sounds)

    def declared(self, written: Any) -> float:
        """Samples that a clip and its perturbed versions inside the study say they have."""
        if not isinstance(written, dict):
            return 0.0
        perturbed = written.get("perturbed")
        perturbed = perturbed if isinstance(perturbed, dict) else {}
        sounds = [written.get("sound"), *(perturbed.get(name) for name in self.asked)]
        return sum(study_sound.declared(sound)[1] for sound in sounds if isinstance(sound, str))

    def clip(self, where: str, written: Any) -> StudyClip | None:
        if not isinstance(written, dict):
            self.problems.append(f"{where[:-1]} must be a mapping with name and sound.")
            return None
        self.check(where, written, {"name": NAME}, ("perturbed",), ("name", "sound"))
        perturbed = written.get("perturbed") or {}
        if not isinstance(perturbed, dict) or len(perturbed) > MOST_CONDITIONS:
            most = f"up to {MOST_CONDITIONS} families"
            self.problems.append(f"{where}perturbed must map {most} to sounds.")
            perturbed = {}
        perturbed = {_name(name): sound for name, sound in perturbed.items()}
        if not self.judged:  # what nobody is asked about is not kept
            for name in [name for name in perturbed if name not in self.asked]:
                with self.noting(f"{where}{name}: "):
                    _place_of(perturbed.pop(name), self.folder)
        named = [(_name(written.get("name")), written.get("sound")), *perturbed.items()]
        sounds = [self.sound(where, name, place) for name, place in named]
        whole = [sound for sound in sounds if sound]
        if len(whole) < len(named):
            return None
        with self.noting(f"{where[:-1]}: "):
            if not self.judged:
                clean, others = paired(whole[0], whole[1:])
                # as it is played: a classifier may have cut it
                study_sound.check_length(clean.duration_s, clean.name)
                kept = zip(named, map(study_sound.as_kept, [clean, *others]), strict=True)
                whole = [replace(sound, name=name) for (name, _), sound in kept]
            return StudyClip(whole[0], {sound.name: sound for sound in whole[1:]})
        return None

    def sound(self, where: str, name: str, written: Any) -> Clip | None:
        """A sound of the study, at the rate that is kept.

        Raises:
            TooLong: where the study has no room for it, or it stands inside and cannot be read:
                then no further one is tried.
        """
        inside = isinstance(written, str) and written.startswith(INSIDE)
        try:
            if inside:
                clip = study_sound.decoded(written, name)
            else:  # called by its file in sentences
                path, within = _place_of(written, self.folder)
                clip = replace(Clip.load(path, within=within), name=path.name)
            if not self.judged:
                clip = clip.resampled(min(clip.sample_rate, RATE))
            self.samples += min(len(clip.samples), round(study_sound.LONGEST_S * clip.sample_rate))
            study_sound.check_room(self.samples)
            return clip
        except ValueError as error:
            sentence = f"{where}{name}: {error}"
            if inside or isinstance(error, study_sound.TooLong):
                raise study_sound.TooLong(sentence) from error
            self.problems.append(sentence)
            return None

    def options(self, written: Any) -> dict[str, Any]:
        """The procedure's own options, as the types that its fields have."""
        if not isinstance(written, dict) or written.get("kind") not in [*PROCEDURES]:
            raise ValueError(f"procedure.kind must be one of {', '.join(PROCEDURES)}.")
        kind, given = written["kind"], {}
        options = fields(PROCEDURES[kind])
        defaults = {f.name: f.default for f in options if f.name != "conditions"}
        self.check("procedure.", written, {}, ("kind", *defaults))
        for name in (name for name in written if name in defaults):
            with self.noting(f"procedure.{name} "):
                given[name] = _as(defaults[name], written[name])
        self.problems += _refused(kind, given)
        return {"kind": kind, **given}


def _refused(kind: str, options: Mapping[str, Any]) -> list[str]:
    """What a procedure says of its options: it names one, and is asked again without that one."""
    try:
        PROCEDURES[kind](conditions=(Condition("any", "any"),), **options)
    except ValueError as error:
        culprit = str(error).split()[0]
        rest = {name: value for name, value in options.items() if name != culprit}
        return [str(error), *(_refused(kind, rest) if culprit in options else [])]
    return []


def _place_of(where: Any, folder: Path | None) -> tuple[Path, list[Path] | None]:
    """The file of a sound, and the folders that it may lie in (None: any)."""
    name = _name(where)
    if name.startswith(INSIDE):
        return Path(), None
    if name.startswith(BUNDLED):
        return CLIPS / name.removeprefix(BUNDLED), [CLIPS]
    if folder is None:
        raise ValueError("a study that was sent in may not name files; put the sounds inside it.")
    return folder / name, None


def _name(value: Any) -> str:
    """A name as text; YAML reads some names as numbers."""
    return value if isinstance(value, str) else shown(value)


def _as(default: Any, value: Any) -> Any:
    """YAML's value as what the field holds (-40 as -40.0); sentences of errors lack a subject."""
    several = isinstance(default, tuple)
    numbers, kind = (value, type(default[0])) if several else ([value], type(default))
    right = "a list of numbers" if several else "a number"
    if not isinstance(numbers, list):
        raise ValueError(f"{shown(value, LONGEST)} must be {right}.")
    if len(numbers) > MOST_TRIALS:
        raise ValueError(f"has {len(numbers)} numbers; {MOST_TRIALS} are the most.")
    for number in numbers:  # whole ones are left to the procedure, but for their size
        too_large = type(number) is int and abs(number) > LARGEST
        if too_large or (kind is float and type(number) not in (int, float)):
            raise ValueError(f"{shown(value, LONGEST)} must be {right}.")
    converted = tuple(float(number) if kind is float else number for number in numbers)
    return converted if several else converted[0]
