"""A study that was read: its procedure, its record, and what nobody could answer."""

import json

import torch
from listening.small_study import small_study

from robustaudio.listening.design.procedures import ABX
from robustaudio.listening.design.study_file import parse
from robustaudio.listening.design.trial import Condition


def test_a_study_says_what_it_means():
    study = small_study(procedure="{kind: abx, levels_db: [-20, -40], trials: 6}")
    assert study.procedure == ABX(
        (Condition("seven", "white"),), levels_db=(-20.0, -40.0), trials=6
    )
    assert list(map(str, study.stimuli.conditions)) == ["seven · white"]
    assert (study.screening, study.expires_h) == ("none", 168)


def test_its_record_is_complete_in_itself():
    study = small_study(model="{name: digits-cnn, certified_radius: 0.1}")
    again = parse(json.dumps(study.record()), folder=None)
    assert again.digest == study.digest and again.record()["model"]["name"] == "digits-cnn"
    condition, samples = Condition("seven", "white"), study.clips[0].clip.samples
    assert torch.equal(again.clips[0].clip.samples, samples)
    assert (again.stimuli.render(condition, -40.0) == study.stimuli.render(condition, -40.0)).all()
    assert small_study(seed="1").digest != study.digest


def test_a_shift_may_be_shown_without_practice_and_catch_trials():
    options = "{kind: abx, levels_db: [-10], trials: 6, practice: 0, catch_every: 0}"
    assert small_study(families="[shift]", procedure=options).procedure.trials == 6
