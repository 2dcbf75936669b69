"""What the pages of an open study are told, and what they never are."""

import io
import json

import numpy as np
import pytest
import soundfile
from listening.over_http import Listener
from listening.small_study import small_study

from robustaudio.audio.clip import Clip
from robustaudio.audio.datasets import BUNDLED
from robustaudio.listening.design.study import sound_text
from robustaudio.listening.design.study_file import parse
from robustaudio.listening.run.headphones import beep_count


def test_a_second_answer_to_a_trial_changes_nothing(listener):
    listener.begin()
    first = listener.answer(0, 1).json()
    again = listener.answer(0, 0).json()
    assert first == again and first["trial"]["number"] == 1
    assert [r.answer for r in listener.session.responses] == [1]
    early = listener.answer(5)
    assert early.status_code == 400 and "trial 5 has not been asked yet" in early.json()["error"]


@pytest.mark.parametrize("procedure", ["abx, levels_db: [-40]", "quest, audible_db: 0"])
def test_only_practice_answers_are_called_right_or_wrong(rooms, procedure):
    text = f"{{kind: {procedure}, trials: 12, practice: 3, catch_every: 3}}"
    room, _ = rooms.open(small_study(procedure=text))
    listener = Listener(rooms, room.token)
    state, kinds = listener.begin(), []
    while state["step"] == "trial":
        number, right = state["trial"]["number"], listener.right()
        kinds.append(listener.session.trial().kind)
        answer = (right + number) % 2
        state = listener.answer(number, answer).json()
        practised = {"practice_right": answer == right} if kinds[-1] == "practice" else {}
        expected = {"step", "gain_db", "attempts", "trial"}
        assert {key: state[key] for key in state.keys() - expected} == practised
        assert listener.answer(number, 1 - answer).json() == state  # of the answer that counts
        assert "practice_right" not in listener.get("state").json()
    assert kinds[:3] == ["practice"] * 3 and {"catch", "test"} == {*kinds[3:]}
    assert listener.answer(-1).status_code == 400


@pytest.mark.parametrize(
    ("families", "alternatives", "question"),
    [
        (["white", "shaped"], 2, "Which one is noisier?"),
        (["white"], 3, "Which one is the noisiest of the three?"),
        (["white", "pgd"], 2, "Which one was changed?"),
        (["pgd"], 3, "Which one of the three was changed?"),
    ],
)
def test_the_question_fits_the_families(rooms, families, alternatives, question):
    options = f"{{kind: quest, trials: 4, audible_db: 0, alternatives: {alternatives}}}"
    record = small_study(procedure=options).record() | {"families": families}
    clip = Clip.load(BUNDLED / "seven-slt.wav")
    record["clips"][0]["perturbed"] = {
        "pgd": sound_text(Clip(clip.samples.flip(0), clip.sample_rate))
    }
    room, _ = rooms.open(parse(json.dumps(record), None))
    assert room.description()["question"] == question


def test_only_the_sounds_of_the_current_trial_can_be_heard(listener):
    listener.begin()
    assert listener.get("trial/0/2").status_code == 200
    for path in ("trial/0/3", "trial/1/0", "trial/-1/0", "check/secret/0", "check/screening/9"):
        assert listener.get(path).status_code == 404
    listener.answer(0)
    assert listener.get("trial/0/0").status_code == 404


def test_x_sounds_like_the_one_that_it_is(listener):
    listener.begin()

    def heard(place: int) -> np.ndarray:
        return soundfile.read(io.BytesIO(listener.get(f"trial/0/{place}").content))[0]

    same, other = heard(listener.right()), heard(1 - listener.right())
    assert np.abs(heard(2) - same).max() < 1e-6 < np.abs(heard(2) - other).max() / 100


def test_a_check_sound_is_served_in_its_step_alone(listener):
    listener.begin()
    assert listener.get("state").json()["step"] == "trial"
    for path in ("check/level/0", "check/beeps/0", "check/screening/0"):
        assert listener.get(path).status_code == 404


def test_the_level_is_set_on_the_loudest_sound_of_the_study(rooms):
    loud = Clip.load(BUNDLED / "seven-slt.wav")
    soft = Clip(loud.samples * 0.016, loud.sample_rate)  # 36 dB below
    clips = [{"name": name, "sound": sound_text(c)} for name, c in (("soft", soft), ("loud", loud))]
    room, _ = rooms.open(parse(json.dumps(small_study().record() | {"clips": clips}), None))
    listener = Listener(rooms, room.token)
    state = listener.post("start", agreed=True).json()
    listener.code = state["code"]
    beeps = beep_count(listener.session.check_seed)
    listener.post("sound", beeps=beeps, sample_rate=48000, device="headphones")
    heard = soundfile.read(io.BytesIO(listener.get("check/level/0").content))[0]
    stimuli, procedure = room.study.stimuli, room.study.procedure
    played = [
        np.abs(stimuli.render(condition, level)).max()
        for condition in procedure.conditions
        for level in (None, *procedure.stimulus_levels_db)
    ]
    assert np.abs(heard).max() == pytest.approx(max(played), abs=1e-6)


def test_a_listener_may_delete_everything(listener, tmp_path):
    listener.begin()
    listener.answer(0)
    assert len(list(tmp_path.rglob("*.jsonl"))) == 2
    assert listener.post("forget").json() == {"step": "deleted"}
    assert len(list(tmp_path.rglob("*.jsonl"))) == 1
    assert listener.get("state").status_code == 404


def test_an_answer_that_crosses_a_deletion_leaves_nothing(listener, tmp_path, monkeypatch):
    listener.begin()
    room, append = listener.rooms.find(listener.token), listener.rooms.store.append

    def append_after_deletion(event):
        room.store.delete(room.token)
        return append(event)

    monkeypatch.setattr(listener.rooms.store, "append", append_after_deletion)
    assert listener.answer(0).status_code == 404
    assert list(tmp_path.rglob("*.jsonl")) == []
