"""Study files: YAML or JSON, written by a teacher or exported by the page.

Sounds are files beside it, clips that ship with the project (`bundled:seven-slt.wav`), or sound
files inside it (`data:audio/wav;base64,`), so that an exported study is complete in itself.
"""

import json
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
from robustaudio.audio.draws import MOST_SEED
from robustaudio.listening.design.pairing import paired
from robustaudio.listening.design.study import (
    LONGEST_H,
    PROCEDURES,
    SCREENINGS,
    Model,
    Study,
    StudyClip,
    Texts,
)
from robustaudio.listening.design.study_sound import (
    LONGEST_S,
    Budget,
    TooLong,
    as_kept,
    at_kept_rate,
    declared,
    decoded,
)
from robustaudio.listening.design.trial import Condition
from robustaudio.outside import check_characters, loads, read_text, shown

BUNDLED, INSIDE = "bundled:", "data:"  # what the places of sounds begin with
MOST_CONDITIONS = 24
MOST_TRIALS = 400
LONGEST, LONGEST_YAML = 50_000_000, 100_000  # characters; PyYAML reads some 40 000 in a second
LARGEST = 10**400  # of a whole number: Python writes none of more than 4300 digits
LONGEST_NAME, LONGEST_TEXT = 120, 2_000  # characters: of titles and names, of texts
# of numbers, with both ends; where these are whole, the number has to be
RANGES = {
    "expires_h": (1, LONGEST_H), "seed": (0, MOST_SEED),
    "certified_radius": (0.0, 1e12), "sigma": (0.0, 1e12), "alpha": (0.0, 1.0), "n": (1, 10**12),
}  # fmt: skip
MOST_PROBLEMS, LONGEST_PROBLEM = 12, 300  # in a message, and characters of each


class StudyError(ValueError):
    """A study file that cannot be used; the message lists what is wrong with it."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        first, rest = problems[:MOST_PROBLEMS], len(problems) - MOST_PROBLEMS
        lines = [f"- {_middle_cut(p)}" for p in first] + [f"- and {rest} more."] * (rest > 0)
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
    try:
        written, problems = _loaded(text)
    except RecursionError as error:
        raise StudyError(["it is nested too deeply."]) from error
    return _Reader(folder, problems).study(written)


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


def _loaded(text: str) -> tuple[Any, list[str]]:
    """What the text says, and which keys it repeats."""
    if len(text) > LONGEST:
        raise StudyError([f"it has {len(text)} characters; {LONGEST} are the most."])
    repeated: list[str] = []

    def mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        repeated.extend(_repeated(key for key, _ in pairs))
        return dict(pairs)

    try:  # JSON is YAML as well, and read much faster so
        return loads(text, "it", pairs=mapping), repeated
    except ValueError as error:
        reason = error.__cause__
        if not isinstance(reason, json.JSONDecodeError):
            raise StudyError([str(error)]) from error
        if len(text) > LONGEST_YAML:
            raise StudyError(
                [
                    f"it is not JSON ({reason}), and YAML may have {LONGEST_YAML} characters, not "
                    f"{len(text)}."
                ]
            ) from error
    try:
        loader = _PlainLoader(text)
        written = loader.get_single_data()
        check_characters(written, "it")
        return written, loader.repeated
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
    half = LONGEST_PROBLEM // 2
    return problem if len(problem) <= LONGEST_PROBLEM else f"{problem[:half]} … {problem[-half:]}"


class _Reader:
    """Reads a study's parts and collects what is wrong, so that all of it is said at once."""

    def __init__(self, folder: Path | None, problems: list[str], *, judged: bool = False) -> None:
        self.folder, self.problems, self.judged = folder, problems, judged
        self.budget = Budget()

    def study(self, written: Any) -> Study:
        if not isinstance(written, dict):
            raise StudyError(["a study is a mapping with title, clips, families and procedure."])
        needed = ("title", "clips", "families", "procedure")
        known = (*needed, "texts", "model", "screening", "expires_h", "seed")
        self.known("", written, known, needed)
        self.texts_in("", written, ("title", "screening"))
        self.numbers("", written, ("expires_h", "seed"))
        if written.get("screening", SCREENINGS[0]) not in SCREENINGS:
            self.problems.append(f"screening must be one of {', '.join(SCREENINGS)}.")
        self.asked = families = self.families(written.get("families"))
        options = self.options(written.get("procedure"))
        texts, model = self.part("texts", Texts, written), self.part("model", Model, written)
        clips = self.clips(written.get("clips"))
        self.stop()
        rest = {
            name: written[name] for name in ("screening", "expires_h", "seed") if name in written
        }
        study = Study(written["title"], clips, families, options, texts, model, **rest)
        self.whole_study(study)
        self.stop()
        return study

    def stop(self) -> None:
        if self.problems:
            raise StudyError(self.problems)

    def known(self, where: str, written: Mapping, known: tuple, needed: tuple = ()) -> None:
        unknown = [_name(key) for key in written if key not in known]
        close = {
            key: get_close_matches(key, known, 1)
            for key in unknown[:MOST_PROBLEMS]
            if len(key) <= LONGEST_NAME
        }
        for key in (key for key in unknown if close.get(key)):
            self.problems.append(f"unknown key {where}{key}; did you mean {close[key][0]!r}?")
        strange = [f"{where}{key}" for key in unknown if not close.get(key)]
        if strange:
            keys = "key" if len(strange) == 1 else "keys"
            unknown_keys = f"unknown {keys} {', '.join(strange)}"
            self.problems.append(f"{unknown_keys}; known: {', '.join(known)}.")
        self.problems += [f"{where}{key} is missing." for key in needed if key not in written]

    def texts_in(
        self, where: str, written: Mapping, names: Iterable[str], longest: int = LONGEST_NAME
    ) -> None:
        for name in (name for name in names if name in written):
            text = written[name]
            if not isinstance(text, str) or not text.strip() or len(text) > longest:
                right = f"text of at most {longest} characters"
                self.problems.append(f"{where}{name} {_value(text)} must be {right}.")

    def numbers(self, where: str, written: Mapping, names: Iterable[str]) -> None:
        for name in (name for name in names if name in written):
            value, (low, high) = written[name], RANGES[name]
            whole = type(high) is int
            is_number = type(value) is int or (type(value) is float and not whole)
            if not is_number or not low <= value <= high:
                right = f"{'a whole' if whole else 'a'} number from {low:g} to {high:g}"
                self.problems.append(f"{where}{name} {_value(value)} must be {right}.")

    def part(self, name: str, kind: type, written: Mapping) -> Any:
        """A group of optional keys, which are the fields of `kind`."""
        part = written.get(name) or {}
        if not isinstance(part, dict):
            self.problems.append(f"{name} must be a mapping.")
            return kind()
        known = [option.name for option in fields(kind)]
        self.known(f"{name}.", part, tuple(known))
        given = {key: value for key, value in part.items() if key in known and value is not None}
        longest = LONGEST_TEXT if kind is Texts else LONGEST_NAME
        self.texts_in(f"{name}.", given, [key for key in known if key not in RANGES], longest)
        self.numbers(f"{name}.", given, [key for key in known if key in RANGES])
        return kind(**given)

    def families(self, written: Any) -> tuple[str, ...]:
        names = [*map(_name, written[: MOST_CONDITIONS + 1])] if isinstance(written, list) else []
        lengths = {0 < len(name) <= LONGEST_NAME for name in names}
        lengths |= {not isinstance(name, list | dict) for name in written} if names else set()
        if lengths != {True} or len(names) > MOST_CONDITIONS or len({*names}) < len(names):
            self.problems.append(
                f"families must be a list of 1 to {MOST_CONDITIONS} names, each once, of at most "
                f"{LONGEST_NAME} characters."
            )
            return ()
        return tuple(names)

    def clips(self, written: Any) -> tuple[StudyClip, ...]:
        if not isinstance(written, list) or not 1 <= len(written) <= MOST_CONDITIONS:
            count = f", not {len(written)}" if isinstance(written, list) else ""
            self.problems.append(f"clips must be a list of 1 to {MOST_CONDITIONS}{count}.")
            return ()
        if len(written) * len(self.asked) > MOST_CONDITIONS:
            self.problems.append(
                f"{len(written)} clips under {len(self.asked)} families are too many; "
                f"{MOST_CONDITIONS} conditions are the most."
            )
            return ()
        try:
            self.budget.check(sum(map(self.declared, written)))
            clips = [self.clip(f"clips[{n}].", entry) for n, entry in enumerate(written)]
        except TooLong as error:
            self.problems.append(str(error))
            return ()
        names = [sounds.clip.name for sounds in clips if sounds]
        if len(set(names)) < len(names):
            self.problems.append(f"clips {names} must have different names.")
        return tuple(sounds for sounds in clips if sounds)

    def declared(self, written: Any) -> float:
        """Samples that a clip and its perturbed versions inside the study say they have."""
        if not isinstance(written, dict):
            return 0.0
        perturbed = written.get("perturbed")
        perturbed = perturbed if isinstance(perturbed, dict) else {}
        sounds = [written.get("sound"), *(perturbed.get(name) for name in self.asked)]
        return sum(declared(sound)[1] for sound in sounds if isinstance(sound, str))

    def clip(self, where: str, written: Any) -> StudyClip | None:
        if not isinstance(written, dict):
            self.problems.append(f"{where[:-1]} must be a mapping with name and sound.")
            return None
        self.known(where, written, ("name", "sound", "perturbed"), ("name", "sound"))
        self.texts_in(where, written, ("name",))
        perturbed = written.get("perturbed") or {}
        if not isinstance(perturbed, dict) or len(perturbed) > MOST_CONDITIONS:
            most = f"up to {MOST_CONDITIONS} families"
            self.problems.append(f"{where}perturbed must map {most} to sounds.")
            perturbed = {}
        perturbed = {_name(name): sound for name, sound in perturbed.items()}
        if not self.judged:  # what nobody is asked about is not kept
            for name in [name for name in perturbed if name not in self.asked]:
                self.check_place(where, name, perturbed.pop(name))
        named = [(_name(written.get("name")), written.get("sound")), *perturbed.items()]
        sounds = [self.sound(where, name, place) for name, place in named]
        whole = [sound for sound in sounds if sound]
        if len(whole) < len(named):
            return None
        if self.judged:
            return StudyClip(whole[0], {other.name: other for other in whole[1:]})
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
            replace(as_kept(sound), name=name)
            for name, sound in zip(names, [clean, *others], strict=True)
        ]
        return StudyClip(clip, {other.name: other for other in perturbed})

    def sound(self, where: str, name: str, written: Any) -> Clip | None:
        """A sound of the study, at the rate that is kept.

        Raises:
            TooLong: where the study has no room for it, or it stands inside and cannot be read:
                then no further one is tried.
        """
        inside = isinstance(written, str) and written.startswith(INSIDE)
        try:
            clip = _load(written, name, self.folder)
            clip = clip if self.judged else at_kept_rate(clip)
            self.budget.take(clip)
            return clip
        except ValueError as error:
            sentence = f"{where}{name}: {error}"
            if inside or isinstance(error, TooLong):
                raise TooLong(sentence) from error
            self.problems.append(sentence)
            return None

    def check_place(self, where: str, name: str, written: Any) -> None:
        """Notes where a sound that is not read may not lie."""
        try:
            _place_of(written, self.folder)
        except ValueError as error:
            self.problems.append(f"{where}{name}: {error}")

    def options(self, written: Any) -> dict[str, Any]:
        """The procedure's own options, as the types that its fields have."""
        if not isinstance(written, dict) or written.get("kind") not in [*PROCEDURES]:
            self.problems.append(f"procedure.kind must be one of {', '.join(PROCEDURES)}.")
            return {}
        kind, given = written["kind"], {}
        options = fields(PROCEDURES[kind])
        defaults = {f.name: f.default for f in options if f.name != "conditions"}
        self.known("procedure.", written, ("kind", *defaults))
        for name in (name for name in written if name in defaults):
            try:
                if isinstance(written[name], list) and len(written[name]) > MOST_TRIALS:
                    self.problems.append(
                        f"procedure.{name} has {len(written[name])} numbers; {MOST_TRIALS} are the "
                        "most."
                    )
                    continue
                given[name] = _as(defaults[name], written[name])
            except (TypeError, OverflowError):
                right = "a list of numbers" if isinstance(defaults[name], tuple) else "a number"
                self.problems.append(f"procedure.{name} {_value(written[name])} must be {right}.")
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
            longest = getattr(study.procedure, "max_trials", 0)  # of a track
            if longest > MOST_TRIALS:
                raise ValueError(f"max_trials {longest} must be at most {MOST_TRIALS}.")
            if not self.judged:
                self.problems += study.unanswerable()
        except ValueError as error:
            self.problems.append(str(error))


def _refused(kind: str, options: Mapping[str, Any]) -> list[str]:
    """What a procedure says of its options: it names one, and is asked again without that one."""
    try:
        PROCEDURES[kind](conditions=(Condition("any", "any"),), **options)
    except ValueError as error:
        culprit = str(error).split()[0]
        rest = {name: value for name, value in options.items() if name != culprit}
        return [str(error), *(_refused(kind, rest) if culprit in options else [])]
    return []


def _load(where: Any, name: str, folder: Path | None) -> Clip:
    """A sound, called by its file, or by its name in the study where it has none."""
    if isinstance(where, str) and where.startswith(INSIDE):
        return decoded(where, name)
    path, within = _place_of(where, folder)
    return replace(Clip.load(path, within=within), name=path.name)


def _place_of(where: Any, folder: Path | None) -> tuple[Path, list[Path] | None]:
    """The file of a sound, and the folders that it may lie in (None: any).

    Raises:
        ValueError: for what names no file, or none that may be read.
    """
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


def _value(value: Any) -> str:
    """A value as it was written: what is too long is cut where all is told."""
    return shown(value, LONGEST)


def _as(default: Any, value: Any) -> Any:
    """YAML's number as what the field holds: -40 as -40.0, a list as a tuple."""
    if type(value) is int and abs(value) > LARGEST:
        raise OverflowError("no option is so large.")
    if isinstance(default, float):
        if type(value) not in (int, float):
            raise TypeError("no number.")
        return float(value)
    if isinstance(default, tuple):
        if not isinstance(value, list | tuple):
            raise TypeError("no list.")
        return tuple(_as(default[0] if default else None, item) for item in value)
    return value
