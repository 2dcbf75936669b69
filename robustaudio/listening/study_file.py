"""Study files: YAML or JSON, written by a teacher or exported by the page.

Sounds are files beside it, clips that ship with the project (`bundled:seven-slt.wav`), or WAV
files inside it (`data:audio/wav;base64,`), so that an exported study is complete in itself.
"""

import base64
import binascii
import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import ComposerError
from yaml.reader import ReaderError

from robustaudio.audio.clip import Clip
from robustaudio.audio.datasets import BUNDLED as CLIPS
from robustaudio.listening.pairing import paired
from robustaudio.listening.study import (
    LONGEST_H,
    PROCEDURES,
    SCREENINGS,
    SOUND,
    Model,
    Study,
    StudyClip,
    Texts,
)

BUNDLED = "bundled:"
LONGEST_S = 12.0  # of a clip: longer ones cannot be compared from memory
MOST_CONDITIONS = 24
MOST_TRIALS = 400
LONGEST, LONGEST_YAML = 50_000_000, 100_000  # characters; PyYAML reads some 40 000 in a second
LONGEST_NAME, LONGEST_TEXT = 120, 2_000  # characters: of titles and names, of texts
# of numbers, with both ends; where these are whole, the number has to be
RANGES = {
    "expires_h": (1, LONGEST_H), "seed": (0, 10**15),
    "certified_radius": (0.0, 1e12), "sigma": (0.0, 1e12), "alpha": (0.0, 1.0), "n": (1, 10**12),
}  # fmt: skip
MOST_TOLD, LONGEST_TOLD = 12, 300  # problems in a message, and characters of one


class StudyError(ValueError):
    """A study file that cannot be used; the message lists what is wrong with it."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        told, rest = problems[:MOST_TOLD], len(problems) - MOST_TOLD
        lines = [f"- {_middle_cut(p)}" for p in told] + [f"- and {rest} more."] * (rest > 0)
        super().__init__("\n".join(["the study cannot be used:", *lines]))


def load_study(path: Path, *, uploaded: bool = False) -> Study:
    """Reads a study file; the sounds that it names are looked up beside it.

    One that was uploaded may name no files.

    Raises:
        StudyError: with everything that is wrong.
    """
    try:
        text = path.read_text("utf-8-sig")  # some editors write a byte order mark
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError([f"{path.name if uploaded else path} cannot be read as text."]) from error
    return parse(text, None if uploaded else path.resolve().parent)


def parse(text: str, folder: Path | None) -> Study:
    """A study from YAML or JSON; without a folder it may name no files of this machine.

    Raises:
        StudyError: with everything that is wrong.
    """
    try:
        told, problems = _loaded(text)
    except RecursionError as error:
        raise StudyError(["it is nested too deeply."]) from error
    if not isinstance(told, dict):
        raise StudyError(["a study is a mapping with title, clips, families and procedure."])
    return _Reader(folder, problems).study(told)


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


def _loaded(text: str) -> tuple[Any, list[str]]:
    """What the text says, and which keys it repeats."""
    if len(text) > LONGEST:
        raise StudyError([f"it has {len(text)} characters; {LONGEST} are the most."])
    repeated: list[str] = []

    def mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        repeated.extend(_repeated(key for key, _ in pairs))
        return dict(pairs)

    try:  # JSON is YAML as well, and read much faster so
        return json.loads(text, object_pairs_hook=mapping), repeated
    except ValueError as error:
        if len(text) > LONGEST_YAML:
            raise StudyError(
                [
                    f"it is not JSON ({error}), and YAML may have {LONGEST_YAML} characters, not "
                    f"{len(text)}."
                ]
            ) from error
    try:
        loader = _PlainLoader(text)
        return loader.get_single_data(), loader.repeated
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
        return ", ".join(f"{words}{_place(mark)}" for words, mark in marked if words)
    if isinstance(error, ReaderError):
        before = text[: error.position].splitlines() or [""]
        return f"{error.reason} (line {len(before)}, column {len(before[-1]) + 1})"
    return str(error)


def _place(mark: yaml.Mark | None) -> str:
    return f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""


def _middle_cut(problem: str) -> str:
    """A sentence whose value is long: its beginning, and the end, which says what is right."""
    half = LONGEST_TOLD // 2
    return problem if len(problem) <= LONGEST_TOLD else f"{problem[:half]} … {problem[-half:]}"


class _Reader:
    """Reads a study's parts and collects what is wrong, so that all of it is said at once."""

    def __init__(self, folder: Path | None, problems: list[str]) -> None:
        self.folder, self.problems = folder, problems

    def study(self, told: dict[str, Any]) -> Study:
        needed = ("title", "clips", "families", "procedure")
        known = (*needed, "texts", "model", "screening", "expires_h", "seed")
        self.known("", told, known, needed)
        self.texts_in("", told, ("title", "screening"))
        self.numbers("", told, ("expires_h", "seed"))
        if told.get("screening", SCREENINGS[0]) not in SCREENINGS:
            self.problems.append(f"screening must be one of {', '.join(SCREENINGS)}.")
        clips, families = self.clips(told.get("clips")), self.families(told.get("families"))
        options = self.options(told.get("procedure"))
        texts, model = self.part("texts", Texts, told), self.part("model", Model, told)
        self.stop()
        rest = {name: told[name] for name in ("screening", "expires_h", "seed") if name in told}
        study = Study(told["title"], clips, families, options, texts, model, **rest)
        self.whole_study(study)
        self.stop()
        return study

    def stop(self) -> None:
        if self.problems:
            raise StudyError(self.problems)

    def known(self, where: str, told: Mapping, known: tuple, needed: tuple = ()) -> None:
        unknown = [str(key) for key in told if key not in known]
        close = {key: get_close_matches(key, known, 1) for key in unknown[:MOST_TOLD]}
        for key in (key for key in unknown if close.get(key)):
            self.problems.append(f"unknown key {where}{key}; did you mean {close[key][0]!r}?")
        strange = [f"{where}{key}" for key in unknown if not close.get(key)]
        if strange:
            keys = "key" if len(strange) == 1 else "keys"
            told_keys = f"unknown {keys} {', '.join(strange)}"
            self.problems.append(f"{told_keys}; known: {', '.join(known)}.")
        self.problems += [f"{where}{key} is missing." for key in needed if key not in told]

    def texts_in(
        self, where: str, told: Mapping, names: Iterable[str], longest: int = LONGEST_NAME
    ) -> None:
        for name in (name for name in names if name in told):
            text = told[name]
            if not isinstance(text, str) or not text.strip() or len(text) > longest:
                right = f"text of at most {longest} characters"
                self.problems.append(f"{where}{name} {text!r} must be {right}.")

    def numbers(self, where: str, told: Mapping, names: Iterable[str]) -> None:
        for name in (name for name in names if name in told):
            value, (low, high) = told[name], RANGES[name]
            whole = type(high) is int
            is_number = type(value) is int or (type(value) is float and not whole)
            if not is_number or not low <= value <= high:
                right = f"{'a whole' if whole else 'a'} number from {low:g} to {high:g}"
                self.problems.append(f"{where}{name} {value!r} must be {right}.")

    def part(self, name: str, kind: type, told: Mapping) -> Any:
        """A group of optional keys, which are the fields of `kind`."""
        part = told.get(name) or {}
        if not isinstance(part, dict):
            self.problems.append(f"{name} must be a mapping.")
            return kind()
        own = {option.name: option.type for option in fields(kind)}
        self.known(f"{name}.", part, tuple(own))
        given = {key: value for key, value in part.items() if key in own and value is not None}
        longest = LONGEST_TEXT if kind is Texts else LONGEST_NAME
        self.texts_in(f"{name}.", given, [key for key in own if key not in RANGES], longest)
        self.numbers(f"{name}.", given, [key for key in own if key in RANGES])
        return kind(**given)

    def families(self, told: Any) -> tuple[str, ...]:
        names = [*map(str, told)] if isinstance(told, list) else []
        lengths = {0 < len(name) <= LONGEST_NAME for name in names}
        if lengths != {True} or len(names) > MOST_CONDITIONS or len({*names}) < len(names):
            self.problems.append(
                f"families must be a list of 1 to {MOST_CONDITIONS} names, each once, of at most "
                f"{LONGEST_NAME} characters."
            )
            return ()
        return tuple(names)

    def clips(self, told: Any) -> tuple[StudyClip, ...]:
        if not isinstance(told, list) or not 1 <= len(told) <= MOST_CONDITIONS:
            count = f", not {len(told)}" if isinstance(told, list) else ""
            self.problems.append(f"clips must be a list of 1 to {MOST_CONDITIONS}{count}.")
            return ()
        clips = [self.clip(f"clips[{n}].", one) for n, one in enumerate(told)]
        names = [of.clip.name for of in clips if of]
        if len(set(names)) < len(names):
            self.problems.append(f"clips {names} must have different names.")
        return tuple(of for of in clips if of)

    def clip(self, where: str, told: Any) -> StudyClip | None:
        if not isinstance(told, dict):
            self.problems.append(f"{where[:-1]} must be a mapping with name and sound.")
            return None
        self.known(where, told, ("name", "sound", "perturbed"), ("name", "sound"))
        self.texts_in(where, told, ("name",))
        perturbed = told.get("perturbed") or {}
        if not isinstance(perturbed, dict) or len(perturbed) > MOST_CONDITIONS:
            most = f"up to {MOST_CONDITIONS} families"
            self.problems.append(f"{where}perturbed must map {most} to sounds.")
            perturbed = {}
        perturbed = {str(name): sound for name, sound in perturbed.items()}
        named = [(str(told.get("name")), told.get("sound")), *perturbed.items()]
        sounds = [self.sound(where, *one) for one in named]
        whole = [sound for sound in sounds if sound]
        if len(whole) < len(named):
            return None
        return self.pair(where, [name for name, _ in named], whole)

    def pair(self, where: str, names: list[str], sounds: list[Clip]) -> StudyClip | None:
        """A clean clip and its perturbed versions, by their names in the study."""
        try:
            clean, others = paired(sounds[0], sounds[1:])
            if clean.duration_s > LONGEST_S:  # as it is played: a classifier may have cut it
                raise ValueError(
                    f"{clean.name} lasts {clean.duration_s:.1f} s; up to {LONGEST_S:g} s, please."
                )
        except ValueError as error:
            self.problems.append(f"{where[:-1]}: {error}")
            return None
        clip, *perturbed = [
            replace(sound, name=name) for name, sound in zip(names, [clean, *others], strict=True)
        ]
        return StudyClip(clip, {one.name: one for one in perturbed})

    def sound(self, where: str, name: str, told: Any) -> Clip | None:
        try:
            return _load(str(told), name, self.folder)
        except ValueError as error:
            self.problems.append(f"{where}{name}: {error}")
            return None

    def options(self, told: Any) -> dict[str, Any]:
        """The procedure's own options, as the types that its fields have."""
        if not isinstance(told, dict) or told.get("kind") not in [*PROCEDURES]:
            self.problems.append(f"procedure.kind must be one of {', '.join(PROCEDURES)}.")
            return {}
        kind, given = told["kind"], {}
        own = {f.name: f.default for f in fields(PROCEDURES[kind]) if f.name != "conditions"}
        self.known("procedure.", told, ("kind", *own))
        for name in (name for name in told if name in own):
            try:
                given[name] = _as(own[name], told[name])
            except (TypeError, OverflowError):
                right = "a list of numbers" if isinstance(own[name], tuple) else "a number"
                self.problems.append(f"procedure.{name} {told[name]!r} must be {right}.")
        self.problems += _refused(kind, given)
        return {"kind": kind, **given}

    def whole_study(self, study: Study) -> None:
        """What only shows when everything is put together."""
        try:
            trials = study.procedure.expected_trials
            if len(study.procedure.conditions) > MOST_CONDITIONS or trials > MOST_TRIALS:
                raise ValueError(
                    f"{len(study.procedure.conditions)} conditions and about {trials} trials are "
                    f"too many; {MOST_CONDITIONS} and {MOST_TRIALS} are the most."
                )
            self.problems += study.unanswerable()
        except ValueError as error:
            self.problems.append(str(error))


def _refused(kind: str, options: Mapping[str, Any]) -> list[str]:
    """What a procedure says of its options: it names one, and is asked again without that one."""
    try:
        PROCEDURES[kind](conditions=("any",), **options)
    except ValueError as error:
        culprit = str(error).split()[0]
        rest = {name: value for name, value in options.items() if name != culprit}
        return [str(error), *(_refused(kind, rest) if culprit in options else [])]
    return []


def _load(where: str, name: str, folder: Path | None) -> Clip:
    """A sound, called by its file, or by its name in the study where it has none."""
    if where.startswith(SOUND):
        return _decoded(where, name)
    if where.startswith(BUNDLED):
        path, within = CLIPS / where.removeprefix(BUNDLED), [CLIPS]
    elif folder is None:
        raise ValueError("a study that was sent in may not name files; put the sounds inside it.")
    else:
        path, within = folder / where, None
    return replace(Clip.load(path, within=within), name=path.name)


def _decoded(where: str, name: str) -> Clip:
    try:
        content = base64.b64decode(where.removeprefix(SOUND), validate=True)
    except binascii.Error as error:
        raise ValueError("its sound is not base64.") from error
    with tempfile.TemporaryDirectory(prefix="robustaudio-") as scratch:
        path = Path(scratch) / "sound.wav"
        path.write_bytes(content)
        clip = Clip.load(path)
    return replace(clip, name=name)


def _as(default: Any, value: Any) -> Any:
    """YAML's number as what the field holds: -40 as -40.0, a list as a tuple."""
    if isinstance(default, float):
        if type(value) not in (int, float):
            raise TypeError(f"{value!r} is no number.")
        return float(value)
    if isinstance(default, tuple):
        return tuple(_as(default[0] if default else None, item) for item in value)
    return value
