"""What people heard beside the ruler: read strictly, predicted by the model, claimed both ways."""

import json
from dataclasses import replace
from math import inf

import pytest
import torch
from listening.small_study import small_study

from robustaudio.audio.clip import Clip
from robustaudio.audio.datasets import open_dataset
from robustaudio.certification.smoothing import Smoothing
from robustaudio.classifiers import checkpoints
from robustaudio.evaluation.hearing_thresholds import (
    HearingThreshold,
    claims,
    predicted_level_db,
    ruler_with_thresholds,
    thresholds_in,
)
from robustaudio.evaluation.listening_study import ListenerThreshold
from robustaudio.evaluation.results import to_json
from robustaudio.listening.design.stimulus import stimulus_of
from robustaudio.listening.design.study import sound_text
from robustaudio.listening.design.study_file import parse
from robustaudio.listening.run import export
from robustaudio.listening.run.host import Host
from robustaudio.listening.run.store import MemoryStore
from robustaudio.listening.simulated_listeners import Listener
from robustaudio.listening.simulated_study import simulate
from robustaudio.listening.web import feedback
from robustaudio.perception.audibility import distances
from robustaudio.threats.norms import L2

FOLDER = open_dataset("bundled-digits").folder
CLASSIFIER = checkpoints.load_classifier("digits-cnn-ibp", "cpu")
QUEST = "{kind: quest, trials: 16, practice: 0, catch_every: 0, audible_db: 0}"


def bundled(name: str) -> Clip:
    return CLASSIFIER.prepare(Clip.load(FOLDER / f"{name}.wav"))


SEVEN = bundled("seven-slt")
ATTACKED = replace(SEVEN, samples=SEVEN.samples + 0.1 * SEVEN.samples.flip(0))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """What one listener's study leaves: the export with its sounds, and the analysis."""
    folder = tmp_path_factory.mktemp("study")
    study = small_study(procedure=QUEST, families="[white, shaped]")
    room, _ = Host(MemoryStore()).open(study)
    simulate(room, [Listener(-43.0)], seed=3)
    (folder / "rows.json").write_text(export.as_json(room, export.tidy(room)))
    (folder / "analysis.json").write_text(json.dumps(feedback.pooled(room).to_json()))
    return folder


def test_the_export_and_the_analysis_say_the_same_of_a_clip(exported):
    of_rows = thresholds_in(exported / "rows.json", CLASSIFIER, SEVEN)
    named = replace(SEVEN, name="seven")
    of_analysis = thresholds_in(exported / "analysis.json", CLASSIFIER, named)
    assert [one.family for one in of_rows] == ["shaped", "white"]
    for one, other in zip(of_rows, of_analysis, strict=True):
        assert replace(one, predicted_db=None) == replace(other, predicted_db=None)
        assert one.predicted_db is not None and other.predicted_db is None  # without its sound
        assert (
            len(one.listeners) == 1
            and one.simulated
            and one.sign == "="
            and one.level_db == pytest.approx(-43, abs=8)
        )
        lower_db, upper_db = one.range_db  # a single listener's own interval
        assert -60 < lower_db < -43 < upper_db < -30


def test_an_attack_is_of_the_studys_model_and_noise_of_none(tmp_path):
    for model, against in ({"name": "digits-cnn"}, "digits-cnn"), ({}, None):
        text = json.dumps(
            analysis(LEVEL | {"level_db": -40.0}, "pgd") | {"model": model.get("name")}
        )
        (tmp_path / "analysis.json").write_text(text)
        (one,) = thresholds_in(
            tmp_path / "analysis.json", CLASSIFIER, replace(SEVEN, name="seven-slt")
        )
        assert one.made_against == against
    clip = [
        {"name": "seven", "sound": sound_text(SEVEN), "perturbed": {"pgd": sound_text(ATTACKED)}}
    ]
    study = {"title": "t", "clips": clip, "families": ["white", "pgd"], "model": {"name": "other"},
             "procedure": {"kind": "quest", "trials": 6, "audible_db": 20}}  # fmt: skip
    room, _ = Host(MemoryStore()).open(parse(json.dumps(study), None))
    simulate(room, [Listener(-43.0)], seed=3)
    (tmp_path / "rows.json").write_text(export.as_json(room, export.tidy(room)))
    found = thresholds_in(tmp_path / "rows.json", CLASSIFIER, SEVEN)
    assert {one.family: one.made_against for one in found} == {"white": None, "pgd": "other"}
    (tmp_path / "analysis.json").write_text(json.dumps(feedback.pooled(room).to_json()))
    named = thresholds_in(tmp_path / "analysis.json", CLASSIFIER, replace(SEVEN, name="seven"))
    assert [one.made_against for one in named] == [one.made_against for one in found]


def test_a_family_whose_name_looks_like_a_condition_is_found(tmp_path):
    """In files of earlier versions too: their `clip` and `family` were cut at the last mark."""
    name = "pgd · 40 steps"
    sounds = {"sound": sound_text(SEVEN), "perturbed": {name: sound_text(ATTACKED)}}
    study = {"title": "t", "clips": [{"name": "seven", **sounds}], "families": [name],
             "procedure": {"kind": "quest", "trials": 6, "audible_db": 20}}  # fmt: skip
    room, _ = Host(MemoryStore()).open(parse(json.dumps(study), None))
    simulate(room, [Listener(-43.0)], seed=3)
    record = json.loads(export.as_json(room, export.tidy(room)))
    assert {(row["clip"], row["family"]) for row in record["rows"]} == {("seven", name)}
    pooled = feedback.pooled(room).to_json()
    (result,) = pooled["analysis"]["results"]
    assert (result["clip"], result["family"]) == ("seven", name)
    named, rows, analysis = replace(SEVEN, name="seven"), tmp_path / "rows", tmp_path / "analysis"
    for _ in ("new", "old"):
        rows.write_text(json.dumps(record))
        analysis.write_text(json.dumps(pooled))
        for path in (rows, analysis):
            assert [one.family for one in thresholds_in(path, CLASSIFIER, named)] == [name]
        record["rows"] = [
            {**row, "clip": "seven · pgd", "family": "40 steps"} for row in record["rows"]
        ]
        pooled["analysis"]["results"] = [
            {key: value for key, value in result.items() if key not in ("clip", "family")}
        ]


def test_who_has_not_finished_does_not_count(exported, tmp_path):
    told = json.loads((exported / "rows.json").read_text())
    stray = [{**row, "listener": "stray", "ended": False} for row in told["rows"][:3]]
    path = tmp_path / "rows.json"
    path.write_text(json.dumps({**told, "rows": told["rows"] + stray}))
    assert len(thresholds_in(path, CLASSIFIER, SEVEN)[0].listeners) == 1


def test_another_sound_is_refused(exported):
    with pytest.raises(ValueError, match=r"another sound than eight-en-us-m3 .*: seven \(8000 Hz"):
        thresholds_in(exported / "rows.json", CLASSIFIER, bundled("eight-en-us-m3"))
    with pytest.raises(ValueError, match="no answers of seven-slt, but of: seven"):
        thresholds_in(exported / "analysis.json", CLASSIFIER, SEVEN)


def analysis(threshold: object, family: str = "white") -> dict:
    group = {"listeners": 2, "thresholds": {"d_prime_1": threshold}}
    own = {"faint_db": -50, "thresholds": {"d_prime_1": {"lower_db": -45, "upper_db": -40}}}
    result = {"condition": f"seven-slt · {family}", "listeners": {"a": own, "b": own}}
    result["group"] = group
    return {"analysis": {"results": [result]}}


ABX = {"condition": "seven-slt · white", "listeners": {"a": {}}, "group": {"p": 0.5}}
LEVEL = {"sign": "=", "level_db": "<b>", "lower_db": None, "upper_db": None}


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("RIFF", "is not the JSON that a listening study exports"),
        ("[1]", "is not the JSON that a listening study exports"),
        ("{}", "is not what a listening study exports. Take rows.json, from"),
        ('{"title": "t", "procedure": {}}', "is a study, without answers. Take rows.json"),
        ('{"rows": 1, "study": {}}', "title is missing"),
        ('{"analysis": {"results": [1]}}', "is not what a listening study exports"),
        ('{"analysis": {"results": []}}', "no answers of seven-slt, but of: nothing yet"),
        (json.dumps({"analysis": {"results": [ABX]}}), "has no thresholds; quest and staircase"),
        (json.dumps(analysis(LEVEL)), "is no threshold in dB"),
        (json.dumps(analysis({**LEVEL, "level_db": float("nan")})), "is no threshold in dB"),
        (json.dumps(analysis({"level_db": 3})), "is not what a listening study exports"),
    ],
)
def test_rubbish_is_refused_in_a_sentence(tmp_path, text, sentence):
    path = tmp_path / "study.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=sentence):
        thresholds_in(path, CLASSIFIER, SEVEN)


def test_no_file_is_a_sentence_too(tmp_path):
    with pytest.raises(ValueError, match="cannot be read as text"):
        thresholds_in(tmp_path / "none.json", CLASSIFIER, SEVEN)


def test_listeners_at_both_ends_have_no_common_threshold(tmp_path):
    path = tmp_path / "study.json"
    path.write_text(json.dumps(analysis(None, "pgd")))
    (one,) = thresholds_in(path, CLASSIFIER, SEVEN)
    assert one.sign is one.level_db is one.predicted_db is None and len(one.listeners) == 2
    assert one.range_db == (-inf, inf)


def predicted(family: str) -> float:
    level_db = predicted_level_db(stimulus_of(SEVEN, family, {}, [0, 0]))
    assert level_db is not None
    return level_db


@pytest.mark.parametrize("family", ["white", "shaped"])
def test_at_the_predicted_level_the_loudest_band_is_at_the_threshold(family):
    stimulus = stimulus_of(SEVEN, family, {}, [0, 0])
    level_db = predicted(family)
    perturbed, clean = (torch.from_numpy(stimulus.at(at))[None] for at in (level_db, None))
    found = distances(perturbed, clean, SEVEN.sample_rate)
    assert float(found["max_noise_to_mask_db"]) == pytest.approx(0, abs=1e-6)
    assert float(found["snr_db"]) == pytest.approx(-level_db)


def test_masking_hides_shaped_noise_better_than_white_and_says_nothing_of_a_shift():
    assert predicted("white") < predicted("shaped") - 20
    assert predicted_level_db(stimulus_of(SEVEN, "shift", {}, [0])) is None


def heard_by(
    family: str, *listeners: tuple[float | None, float | None, float | None]
) -> HearingThreshold:
    """Of each listener where hearing begins, and the ends of the threshold's interval."""
    return HearingThreshold(
        family, tuple(ListenerThreshold(*one) for one in listeners), "=", -40.0, None, None
    )


SOFT = heard_by("white", *[(-65.0, -63.0, -57.0)] * 9)
LOUD = heard_by("shaped", *[(-36.0, -33.0, -27.0)] * 9)
BELOW = heard_by("pgd", (None, None, -58.0))
ABOVE = heard_by("pgd", (-24.0, -22.0, None))
ONE_OF_MANY = heard_by("white", (-65.0, -63.0, -57.0), *[(-36.0, -33.0, -27.0)] * 19)


@pytest.mark.parametrize(
    "heard, proven_db, inside, outside",
    [
        ([SOFT, LOUD], -50.0, "refuted", "not shown"),
        ([SOFT], -50.0, "refuted", "not refuted"),
        ([LOUD], -50.0, "not refuted", "not shown"),
        ([SOFT], -60.0, "open", "open"),
        ([SOFT, LOUD], -31.0, "refuted", "open"),
        ([BELOW], -50.0, "refuted", "not refuted"),
        ([BELOW], -59.0, "open", "open"),
        ([ABOVE], -50.0, "not refuted", "not shown"),
        ([ABOVE], 0.0, "open", "open"),
        ([ONE_OF_MANY], -50.0, "refuted", "not shown"),  # whatever the mean is
        ([LOUD], -35.0, "open", "not shown"),  # below the threshold, but not below all hearing
        ([SOFT, LOUD], None, "open", "open"),
    ],
)
def test_both_claims_are_judged_apart_and_neither_is_ever_shown(heard, proven_db, inside, outside):
    assert [one.verdict for one in claims(proven_db, heard)] == [inside, outside]


def test_claims_say_how_many_heard_what():
    inside, outside = claims(-50.0, [ONE_OF_MANY, LOUD])
    assert inside.because == "heard inside the certificate: white noise (1 of 20)"
    assert "white noise (19 of 20), shaped noise (9 of 9)" in outside.because


def test_the_ruler_with_what_was_heard(exported):
    options = {"smoothing": Smoothing(n=50), "seed": 0}
    ruler = ruler_with_thresholds(exported / "rows.json", CLASSIFIER, SEVEN, **options)
    assert ruler.level_db("verified", L2) < ruler.attacked_l2_db < 0
    assert [one.family for one in ruler.heard] == ["shaped", "white"]
    assert len(ruler.claims) == 2
    record = to_json(ruler)
    assert json.loads(json.dumps(record)) == record
    assert "heard" not in to_json(ruler_with_thresholds(None, CLASSIFIER, SEVEN, **options))
