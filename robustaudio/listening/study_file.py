"""Study files: YAML or JSON, written by a teacher or exported by the page.

Sounds are files beside it, clips that ship with the project (`bundled:seven-slt.wav`), or WAV
files inside it (`data:audio/wav;base64,`), so that an exported study is complete in itself.
"""

import base64
import binascii
import json
import tempfile
from collections.abc import Mapping
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from robustaudio.audio.clip import Clip
from robustaudio.audio.datasets import BUNDLED as CLIPS
from robustaudio.listening.study import (
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


class StudyError(ValueError):
    """A study file that cannot be used; the message lists everything that is wrong with it."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("the study cannot be used:\n" + "\n".join(f"- {p}" for p in problems))


def load_study(path: Path) -> Study:
    """Reads a study file; the sounds that it names are looked up beside it.

    Raises:
        StudyError: with everything that is wrong.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError([f"{path} cannot be read as text: {error}."]) from error
    return parse(text, path.resolve().parent)


def parse(text: str, folder: Path | None) -> Study:
    """A study from YAML or JSON; without a folder it may name no files of this machine.

    Raises:
        StudyError: with everything that is wrong.
    """
    told = _loaded(text)
    if not isinstance(told, dict):
        raise StudyError(["a study is a mapping with title, clips, families and procedure."])
    return _Reader(folder).study(told)


class _PlainLoader(yaml.SafeLoader):
    """YAML without aliases, by which a short text may stand for a giant one."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases such as *name are not known here")
        return super().compose_node(parent, index)


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)  # YAML as well, and read much faster so
    except RecursionError as error:
        raise StudyError(["it is nested too deeply."]) from error
    except ValueError:
        pass
    try:
        return yaml.load(text, _PlainLoader)
    except RecursionError as error:
        raise StudyError(["it is nested too deeply."]) from error
    except yaml.YAMLError as error:
        raise StudyError([f"neither YAML nor JSON: {' '.join(str(error).split())}"]) from error


class _Reader:
    """Reads a study's parts and collects what is wrong, so that all of it is said at once."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.problems: list[str] = []

    def study(self, told: dict[str, Any]) -> Study:
        needed = ("title", "clips", "families", "procedure")
        known = (*needed, "texts", "model", "screening", "expires_h", "seed")
        self.known("", told, known, needed)
        self.texts_in("", told, ("title", "screening"))
        self.whole(told, expires_h=1, seed=0)
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
        for key in told:
            if key not in known:
                close = get_close_matches(str(key), known, 1)
                hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}."
                self.problems.append(f"unknown key {where}{key!s}; {hint}")
        self.problems += [f"{where}{key} is missing." for key in needed if key not in told]

    def texts_in(self, where: str, told: Mapping, names: tuple) -> None:
        for name in names:
            if name in told and not (isinstance(told[name], str) and told[name].strip()):
                self.problems.append(f"{where}{name} {told[name]!r} must be text.")

    def whole(self, told: Mapping, **at_least: int) -> None:
        for name, least in at_least.items():
            value = told.get(name, least)
            if type(value) is not int or value < least:
                self.problems.append(f"{name} {value!r} must be a whole number from {least}.")

    def part(self, name: str, kind: type, told: Mapping) -> Any:
        """A group of optional keys, which are the fields of `kind`."""
        part = told.get(name) or {}
        if not isinstance(part, dict):
            self.problems.append(f"{name} must be a mapping.")
            return kind()
        own = {option.name: option.type for option in fields(kind)}
        self.known(f"{name}.", part, tuple(own))
        given = {key: value for key, value in part.items() if key in own and value is not None}
        texts = tuple(key for key, kind_of in own.items() if kind_of in (str, str | None))
        self.texts_in(f"{name}.", given, texts)
        for key in given.keys() - set(texts):
            if type(given[key]) not in (int, float):
                self.problems.append(f"{name}.{key} {given[key]!r} must be a number.")
        return kind(**given)

    def families(self, told: Any) -> tuple[str, ...]:
        if not isinstance(told, list) or not told or len({*map(str, told)}) < len(told):
            self.problems.append("families must be a list of one or more names, each once.")
            return ()
        return tuple(map(str, told))

    def clips(self, told: Any) -> tuple[StudyClip, ...]:
        if not isinstance(told, list) or not told:
            self.problems.append("clips must be a list of one or more.")
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
        if not isinstance(perturbed, dict):
            self.problems.append(f"{where}perturbed must map families to sounds.")
            perturbed = {}
        named = {str(told.get("name")): told.get("sound"), **perturbed}
        sounds = [self.sound(where, str(name), sound) for name, sound in named.items()]
        clip, *others = sounds
        pairs = zip(perturbed, others, strict=True)
        return clip and StudyClip(clip, {str(name): other for name, other in pairs if other})

    def sound(self, where: str, name: str, told: Any) -> Clip | None:
        try:
            clip = _load(str(told), name, self.folder)
            if clip.duration_s > LONGEST_S:
                raise ValueError(
                    f"it lasts {clip.duration_s:.1f} s; up to {LONGEST_S:g} s, please."
                )
            return clip
        except ValueError as error:
            self.problems.append(f"{where}{name}: {error}")
            return None

    def options(self, told: Any) -> dict[str, Any]:
        """The procedure's own options, as the types that its fields have."""
        if not isinstance(told, dict) or told.get("kind") not in PROCEDURES:
            self.problems.append(f"procedure.kind must be one of {', '.join(PROCEDURES)}.")
            return {}
        own = {f.name: f.default for f in fields(PROCEDURES[told["kind"]])}
        self.known("procedure.", told, ("kind", *(name for name in own if name != "conditions")))
        try:
            return {name: _as(own.get(name), value) for name, value in told.items()}
        except (TypeError, ValueError):
            self.problems.append(f"procedure {told} must hold numbers, and lists of numbers.")
            return {}

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


def _load(where: str, name: str, folder: Path | None) -> Clip:
    if where.startswith(SOUND):
        return _decoded(where, name)
    if where.startswith(BUNDLED):
        clip = Clip.load(CLIPS / where.removeprefix(BUNDLED), within=[CLIPS])
    elif folder is None:
        raise ValueError("a study that was sent in may not name files; put the sounds inside it.")
    else:
        clip = Clip.load(folder / where)
    return Clip(clip.samples, clip.sample_rate, name, clip.label, clip.gain)


def _decoded(where: str, name: str) -> Clip:
    try:
        content = base64.b64decode(where.removeprefix(SOUND), validate=True)
    except binascii.Error as error:
        raise ValueError("its sound is not base64.") from error
    with tempfile.TemporaryDirectory(prefix="robustaudio-") as scratch:
        path = Path(scratch) / "sound.wav"
        path.write_bytes(content)
        clip = Clip.load(path)
    return Clip(clip.samples, clip.sample_rate, name, clip.label, clip.gain)


def _as(default: Any, value: Any) -> Any:
    """YAML's number as what the field holds: -40 as -40.0, a list as a tuple."""
    if isinstance(default, float):
        if type(value) not in (int, float):
            raise TypeError(f"{value!r} is no number.")
        return float(value)
    if isinstance(default, tuple):
        return tuple(_as(default[0] if default else None, item) for item in value)
    return value
