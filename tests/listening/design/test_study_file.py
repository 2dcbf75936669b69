"""A study file says what it means, and what is wrong with it."""

import json
from pathlib import Path

import pytest
import torch
from listening.small_study import TEXT

from robustaudio.audio.clip import Clip
from robustaudio.listening.design.procedures import Quest
from robustaudio.listening.design.study_file import StudyError, load_study, parse
from robustaudio.listening.design.trial import Condition

SHIPPED = sorted((Path(__file__).parents[3] / "assets" / "studies").glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_study_opens(path):
    study = load_study(path)
    assert study.procedure.next((), 0) is not None
    assert study.stimuli.gain > 0


def test_a_perturbed_clip_beside_the_study_is_a_family(tmp_path):
    clip = Clip(0.1 * torch.sin(torch.arange(4000) * 0.7), 8000)
    clip.save(tmp_path / "clean.wav")
    Clip(clip.samples + 0.001, 8000).save(tmp_path / "pgd.wav")
    (tmp_path / "study.yaml").write_text(
        "title: T\nclips: [{name: tone, sound: clean.wav, perturbed: {pgd: pgd.wav}}]\n"
        "families: [pgd, white]\nprocedure: {kind: quest, audible_db: 0}\n"
    )
    study = load_study(tmp_path / "study.yaml")
    conditions = Condition("tone", "pgd"), Condition("tone", "white")
    assert study.procedure == Quest(conditions, audible_db=0.0)
    assert parse(json.dumps(study.record()), None).digest == study.digest


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(StudyError) as error:
        parse(
            "titel: x\nclips: [{name: a, sound: bundled:none.wav, volume: 3}]\n"
            "families: [white, white]\nscreening: maybe\nexpires_h: soon\n"
            "procedure: {kind: abx, trails: 3}\ntexts: {abuot: x}\n",
            None,
        )
    told = "\n".join(error.value.problems)
    for part in (
        "unknown key titel; did you mean 'title'?", "title is missing", "there is no file",
        "unknown key clips[0].volume", "families must be a list",
        "screening 'maybe' must be one of antiphase, huggins, none",
        "expires_h 'soon' must be a whole number from 1", "unknown key texts.abuot",
        "unknown key procedure.trails; did you mean 'trials'?",
    ):  # fmt: skip
        assert part in told, part


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", "a study is a mapping"),
        ("title: [x", "neither YAML nor JSON: while parsing a flow sequence (line 1, column 8), "
         "expected ',' or ']', but got '<stream end>' (line 1, column 10)."),
        ("title: x\n  y\0z", "special characters are not allowed (line 2, column 4)"),
        ("title: 2026-13-01", "neither YAML nor JSON: month must be in 1..12"),
        ("title: !!bool x", "neither YAML nor JSON"),
        ("title: !!timestamp x", "neither YAML nor JSON"),
        ("title: &a x\nclips: [*a, *a]", "aliases such as *name are not known here (line 2, col"),
        ("x" * 100_001, "it is not JSON (Expecting value: line 1 column 1 (char 0)), and YAML may "
         "have 100000 characters, not 100001"),
        (" " * 50_000_001, "it has 50000001 characters; 50000000 are the most"),
        (TEXT.replace("[-20]", "[500]"), "levels_db 500 must be a level from -160 to 40 dB"),
        (TEXT.replace("A short test", "x" * 121), "xx' must be text of at most 120 characters"),
        (TEXT.replace("trials: 6", "trials: 6, audible_db: -inf".replace("inf", ".inf")),
         "audible_db -inf must be a level from -160 to 40 dB"),
        (TEXT.replace("[white]", json.dumps([str(n) for n in range(25)])), "a list of 1 to 24"),
        (TEXT.replace("screening: none", "model: {n: 1.5}"), "model.n 1.5 must be a whole number"),
        (TEXT.replace("kind: abx", "kind: [abx]"), "procedure.kind must be one of abx"),
        (TEXT.replace("trials: 6", f"audible_db: {'9' * 400}"), "must be a number"),
        (TEXT.replace("abx, levels_db: [-20], trials: 6", "quest, step_db: 1.0e-9"),
         "step_db 1e-09 must be at least 0.25"),
        ("[" * 100_000, "nested too deeply"),
        ("title: " + "[" * 5_000, "nested too deeply"),
        (TEXT.replace("abx", "mind-reading"), "procedure.kind must be one of abx"),
        (TEXT.replace("[white]", "[pink]"), "no family 'pink' of seven; choose from white"),
        (TEXT.replace("[-20]", "[loud]"), "procedure.levels_db ['loud'] must be a list of numbers"),
        (TEXT.replace("trials: 6", "trials: 0"), "trials 0 must be a whole number"),
        (TEXT.replace("trials: 6", "trials: 900"), "too many; 24 and 400 are the most"),
        (TEXT.replace("[white]", "[shaped]"), "at audible_db -10 the noise-to-mask ratio is 0.1"),
        (TEXT.replace("[white]", "[shift]"), "nobody hears a shift"),
        (TEXT.replace("[white]", "[white, shift]")
             .replace("abx, levels_db: [-20], trials: 6, practice: 1, catch_every: 4",
                      "quest, practice: 0, catch_every: 0"),
         "a shift has no answer without a reference"),
        (TEXT.replace("bundled:seven-slt.wav", "/etc/passwd"), "may not name files"),
        (TEXT.replace("bundled:seven-slt.wav", "bundled:../studies/x.yaml"), "outside the folders"),
        (TEXT.replace("bundled:seven-slt.wav", "data:audio/wav;base64,!!"), "not base64"),
        (TEXT.replace("bundled:seven-slt.wav", "data:audio/wav;base64,AAAA"), "not a sound file"),
        (TEXT.replace("abx", "staircase").replace("levels_db: [-20], trials: 6", "down: 1"),
         "settle at 50 % correct, which is chance"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(text, message):
    with pytest.raises(StudyError) as error:
        parse(text, None)
    assert message in str(error.value)


def test_what_makes_no_sense_is_refused_all_at_once():
    with pytest.raises(StudyError) as error:
        parse(
            TEXT.replace("trials: 6, practice: 1", "trials: -3, inaudible_below: 2, practice: -1")
            + "model: {certified_radius: -5, sigma: .nan, alpha: 7, n: 0}\nexpires_h: -1\n"
            "title: Again\ntitle: And again\n",
            None,
        )
    assert error.value.problems == [
        "key title is given 3 times; once would be right.",
        "expires_h -1 must be a whole number from 1 to 8784.",
        "practice -1 must be a whole number of at least 0.",
        "trials -3 must be a whole number of at least 1.",
        "inaudible_below 2.0 must lie between 0.5 and 1.",
        "model.certified_radius -5 must be a number from 0 to 1e+12.",
        "model.sigma nan must be a number from 0 to 1e+12.",
        "model.alpha 7 must be a number from 0 to 1.",
        "model.n 0 must be a whole number from 1 to 1e+12.",
    ]


def test_a_key_given_twice_in_json_is_told_as_well():
    with pytest.raises(StudyError, match=r"key kind is given 2 times"):
        parse('{"title": "x", "procedure": {"kind": "abx", "kind": "quest"}}', None)


def test_a_family_may_be_called_like_its_clip():
    sound = '"bundled:seven-slt.wav"'
    text = f"name: seven, sound: {sound}", f"name: seven, sound: {sound}, perturbed: {{seven: 1}}"
    with pytest.raises(StudyError, match=r"clips\[0\].seven: a study that was sent in may not"):
        parse(TEXT.replace(*text), None)


def test_of_a_giant_study_nothing_is_read_and_little_is_said():
    clip = {"name": "seven", "sound": "bundled:none.wav"}
    with pytest.raises(StudyError, match="clips must be a list of 1 to 24, not 100000") as error:
        parse(json.dumps({"clips": [clip] * 100_000, **dict.fromkeys(map(str, range(999)))}), None)
    told = str(error.value)
    assert "unknown keys 0, 1, 2, " in told and "bundled" not in told and len(told) < 1_000
    with pytest.raises(StudyError) as error:
        parse(TEXT.replace("A short test", "x" * 90_000) + "\nseed: 0", None)
    assert len(str(error.value)) < 400
    assert str(error.value).endswith("must be text of at most 120 characters.")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(StudyError, match="cannot be read as text"):
        load_study(tmp_path / "none.yaml")
