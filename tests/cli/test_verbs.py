"""The command line is a contract: keys stay, errors go to stderr in one sentence."""

import json
import shlex

import pytest
import torch

from robustaudio.audio.clip import Clip
from robustaudio.audio.datasets import open_dataset
from robustaudio.classifiers import checkpoints
from robustaudio.cli import main
from robustaudio.training.recipes import RECIPES

CLIP = str(open_dataset("bundled-digits").folder / "seven-slt.wav")
DATA = ["--dataset", "bundled-digits", "--split", "bundled", "--limit", "4"]


@pytest.fixture
def run(capsys):
    """Runs a command; gives its JSON, after checking that it succeeded quietly."""

    def call(*arguments: str):
        assert main([*arguments, "--json"]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        return json.loads(out)

    return call


def test_classifiers(run):
    cards = run("classifiers")
    assert [card["name"] for card in cards] == checkpoints.names()
    for card in cards:
        assert {"name", "task", "labels", "sample_rate", "test_accuracy"} <= set(card)
        least = 0.9 if card["task"] == "digits" else 0.8
        assert least <= card["test_accuracy"] <= 1


def test_predict(run):
    record = run("predict", CLIP, "--classifier", "digits-cnn")
    assert {"classifier", "prediction", "probabilities"} <= set(record)
    assert record["prediction"] == "7"
    assert sum(record["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_predict_on_a_dataset(run):
    record = run("predict", *DATA)
    assert record["clips"] == 4 and record["clean_accuracy"] == 1


def test_verify_on_a_clip(run):
    record = run("verify", CLIP, "--classifier", "digits-cnn-ibp", "--level-db", "-80")
    assert record["verified"] is True and record["prediction"] == "7"
    assert -80 < record["largest_level_db"] < 0
    for label, low in record["logits_lower"].items():
        assert low <= record["logits_upper"][label]


def test_verify_on_a_dataset(run):
    levels = ["--level-db", "-90", "--level-db", "-20"]
    record = run("verify", *DATA, "--classifier", "digits-cnn-ibp", *levels)
    assert {"classifier", "dataset", "split", "clips", "norm", "method", "clean_accuracy", "levels",
            "seconds"} <= set(record)  # fmt: skip
    assert [level["level_db"] for level in record["levels"]] == [-90, -20]
    first, last = record["levels"]
    assert first["verified_accuracy"] == first["provability"] == 1
    assert last["verified_accuracy"] == last["provability"] == 0


def test_verify_the_masking_set_by_both_methods(run):
    options = ["--classifier", "digits-cnn-ibp", "--norm", "masking", "--level-db", "-24"]
    interval = run("verify", CLIP, *options)
    crown = run("verify", CLIP, *options, "--method", "crown")
    assert (interval["method"], crown["method"]) == ("interval", "crown")
    assert interval["norm"] == "masking" and interval["epsilon"] == pytest.approx(10 ** (-24 / 20))
    assert crown["largest_level_db"] >= interval["largest_level_db"] > -24
    for label, low in interval["logits_lower"].items():
        assert crown["logits_lower"][label] >= low


def test_verify_on_a_dataset_goes_on_where_it_ended(run, tmp_path):
    rows = tmp_path / "rows.jsonl"
    command = ["verify", *DATA, "--norm", "l2", "--level-db", "-80", "--resume", str(rows)]
    first = run(*command)
    lines = rows.read_text().splitlines()
    assert len(lines) == 5 and json.loads(lines[0])["sha256"]
    rows.write_text("\n".join(lines[:3]) + "\n")
    again = run(*command)
    assert again["levels"] == first["levels"]
    assert [without_seconds(line) for line in rows.read_text().splitlines()] == [
        without_seconds(line) for line in lines
    ]


def without_seconds(line: str) -> dict:
    return {key: value for key, value in json.loads(line).items() if key != "seconds"}


def test_certify_on_a_clip(run):
    record = run("certify", CLIP, "--classifier", "digits-cnn-noise", "--n", "200", "--n0", "20")
    assert {"prediction", "radius", "p_lower", "counts"} <= set(record)
    assert record["prediction"] == "7" and record["radius"] > 0
    assert sum(record["counts"].values()) == 200
    assert record["level_linf_db"] < record["level_l2_db"] < 0


def test_certify_abstains_with_null(run):
    record = run("certify", CLIP, "--sigma", "0.1", "--n", "50", "--alpha", "1e-12")
    assert record["prediction"] is None and record["radius"] == 0


def test_certify_on_a_dataset_and_at_a_representation(run):
    record = run("certify", *DATA, "--classifier", "digits-cnn-noise", "--representation", "mel",
                 "--sigma", "0.1", "--n", "50", "--radius", "0.01", "--radius", "9")  # fmt: skip
    assert {"classifier", "dataset", "split", "clips", "representation", "sigma", "n0", "n",
            "alpha", "abstained", "radii", "seconds"} <= set(record)  # fmt: skip
    near, far = record["radii"]
    assert near["certified_accuracy"] > 0.5 and far["certified_accuracy"] == 0


def test_attack_on_a_clip_can_be_made_again_from_its_report(run, tmp_path):
    output, report = tmp_path / "out.wav", tmp_path / "report.json"
    command = ["attack", CLIP, "--level-db", "-40", "--seed", "3"]
    record = run(*command, "--output", str(output), "--report", str(report))
    assert {"success", "prediction", "level_db", "snr_db", "l2", "linf", "queries",
            "success_after_rounding", "output"} <= set(record)  # fmt: skip
    assert record["success"] and record["prediction"] != "7"
    assert record["level_db"] <= -40 + 1e-3
    assert record["prediction_of_file"] == record["prediction"]
    assert run("predict", str(output))["prediction"] == record["prediction"]
    told = json.loads(report.read_text())
    assert told["result"]["seed"] == 3 and told["classifier"]["sha256"]
    again = run(*command)
    for key in ("prediction", "linf", "l2", "queries", "history"):
        assert again[key] == told["result"][key]


def test_a_report_names_a_command_that_parses(run, tmp_path):
    report = tmp_path / "report.json"
    run("noise", CLIP, "--sigma", "0.05", "--report", str(report))
    command = shlex.split(json.loads(report.read_text())["command"])
    assert command == [
        *("python", "-m", "robustaudio", "noise", CLIP, "--sigma", "0.05"),
        *("--report", str(report), "--json"),
    ]


def test_a_classifier_by_its_path_is_the_one_reported(run, tmp_path):
    original = checkpoints.load_classifier("digits-cnn")
    original.name = "mine"
    with torch.no_grad():
        original.network[-1].bias += 0.01
    card = checkpoints.read_card("digits-cnn").to_json() | {"name": "mine"}
    architecture = RECIPES["digits-cnn"].architecture
    path = checkpoints.save_classifier(original, architecture, card, tmp_path)
    report = tmp_path / "report.json"
    run("attack", CLIP, "--classifier", str(path), "--steps", "2", "--report", str(report))
    told = json.loads(report.read_text())["classifier"]
    assert told == {"name": "mine", "sha256": checkpoints.sha256(path)}


def test_a_target_is_reached_at_a_generous_level(run):
    record = run("attack", CLIP, "--target", "2", "--level-db", "-25", "--norm", "l2")
    assert record["success"] and record["prediction"] == "2"
    assert record["snr_db"] >= 25 - 1e-3


def test_attack_on_a_dataset(run):
    levels = ["--level-db", "-100", "--level-db", "-20"]
    record = run("attack", *DATA, "--attack", "fgsm", *levels)
    assert {"classifier", "attack", "norm", "targeted", "clips", "levels", "seconds"} <= set(record)
    first, last = record["levels"]
    assert first["success_rate"] <= last["success_rate"]
    assert first["robust_accuracy"] >= last["robust_accuracy"]


@pytest.mark.parametrize("representation", ["waveform", "magnitude", "mel"])
def test_noise_on_a_clip_writes_what_it_classified(run, tmp_path, representation):
    output = tmp_path / "noisy.wav"
    record = run("noise", CLIP, "--representation", representation, "--sigma", "0.02",
                 "--output", str(output))  # fmt: skip
    assert record["snr_db"] > 0 and record["prediction_of_file"] == record["prediction"]
    assert Clip.load(output).sample_rate == 8_000


def test_noise_on_a_dataset(run):
    record = run("noise", *DATA, "--sigma", "0.001", "--sigma", "10")
    quiet, loud = (level["accuracy"] for level in record["levels"])
    assert quiet == 1 and loud < 1


def test_ruler(run):
    record = run("ruler", CLIP, "--classifier", "digits-cnn-ibp", "--n", "100")
    ruler = record["ruler"]
    assert ruler["verified_db"] < ruler["attacked_db"] <= 0
    assert ruler["floor_16_bit_db"] == pytest.approx(-90.3, abs=0.1)


@pytest.mark.parametrize(
    "arguments", [["attack", CLIP, "--attack", "fgsm"], ["attack", *DATA, "--attack", "fgsm"],
                  ["classifiers"], ["predict", CLIP], ["ruler", CLIP, "--n", "50"]],
)  # fmt: skip
def test_every_record_can_be_read_as_text(capsys, arguments):
    assert main(arguments) == 0
    assert "classifier" in capsys.readouterr().out or arguments == ["classifiers"]


def test_text_is_for_people(capsys):
    assert main(["verify", *DATA, "--level-db", "-90"]) == 0
    out = capsys.readouterr().out
    assert "verified_accuracy" in out and "{" not in out


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["predict", "nowhere.wav"], "there is no file nowhere.wav"),
        (["predict"], "name either a sound file or --dataset NAME"),
        (
            ["predict", CLIP, "--dataset", "bundled-digits"],
            "name either a sound file or --dataset NAME",
        ),
        (["predict", CLIP, "--classifier", "resnet"], "no classifier 'resnet'; choose from"),
        (["predict", CLIP, "--device", "abacus"], "--device abacus is not at hand"),
        (
            ["predict", "--dataset", "bundled-digits", "--split", "train"],
            "no split 'train'; choose from",
        ),
        (["predict", "--dataset", "../etc"], "no data set '../etc'"),
        (["attack", CLIP, "--target", "11"], "no label '11'; choose from"),
        (["attack", CLIP, "--target", "7"], "the target '7' is already the prediction"),
        (["attack", CLIP, "--steps", "0"], "steps 0"),
        (["attack", CLIP, "--seed", "-1"], "seed -1 must lie between"),
        (["certify", CLIP, "--seed", str(2**63)], "must lie between 0 and 2^63 - 1"),
        (["attack", CLIP, "--level-db", "nan"], "level nan"),
        (["attack", CLIP, "--level-db", "-3", "--level-db", "-4"], "--level-db may be given once"),
        (["attack", CLIP, "--level-db", "7000"], "level 7000 dB must lie within"),
        (["verify", *DATA, "--level-db", "nan"], "level nan dB must lie within"),
        (["certify", *DATA, "--radius", "-2"], "must be 0 or more"),
        (["predict", CLIP, "--device", "meta"], "--device meta is not at hand"),
        (["predict", CLIP, "--classifier", "digits-cnn.safetensors"], "is not a .safetensors file"),
        (["attack", *DATA, "--output", "x.wav"], "--output and --report belong to a single clip"),
        (["attack", *DATA, "--target", "3"], "only 'random' is known"),
        (["attack", CLIP, "--output", "/dev/null/x.wav"], "the folder /dev/null cannot be made"),
        (["attack", CLIP, "--report", "/dev/null/x.json"], "--report: the folder /dev/null cannot"),
        (["noise", CLIP, "--representation", "log_mel"], "cannot be brought back to sound"),
        (["noise", CLIP, "--sigma", "-1"], "sigma -1.0 must be 0 or more"),
        (["noise", *DATA, "--representation", "log"], "no representation 'log'"),
        (["noise", *DATA, "--sigma", "nan"], "sigma nan must be 0 or more"),
        (["certify", CLIP, "--alpha", "2"], "alpha 2.0 must lie between 0 and 1"),
        (["certify", CLIP, "--representation", "log"], "no representation 'log'"),
        (["verify", CLIP, "--level-db", "inf"], "level inf"),
        (["ruler", *DATA], "a ruler belongs to a single clip"),
        (["ruler", CLIP, "--heard", "/nowhere.json"], "--heard: there is no file /nowhere.json"),
        (["ruler", CLIP, "--heard", CLIP], "seven-slt.wav cannot be read as text"),
        (["predict", *DATA[:-1], "0"], "limit 0 must be at least 1"),
    ],
)
def test_an_error_is_one_sentence_on_stderr(capsys, arguments, sentence):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and sentence in err
    assert err.startswith("robustaudio: ") and err.count("\n") == 1


def test_a_classifier_of_buffers_only_works_everywhere(run):
    """A support vector machine has no parameters, and so no first of them to ask for its device."""
    clip = str(open_dataset("bundled-instruments").folder / "violin-sigh.wav")
    svm = ["--classifier", "instruments-svm"]
    assert run("predict", clip, *svm)["prediction"] == "violin"
    data = ["--dataset", "bundled-instruments", "--limit", "3"]
    assert run("predict", *data, *svm)["clean_accuracy"] == 1
    assert run("attack", clip, *svm, "--level-db", "-45")["success"]


def test_the_levels_towards_every_target(run):
    record = run("targets", CLIP, "--attack", "deepfool", "--norm", "l2", "--steps", "20")
    assert record["prediction"] == "7" and set(record["levels_db"]) == {*"0123456789"} - {"7"}
    assert record["norm"] == "l2" and record["settings"]["steps"] == 20
