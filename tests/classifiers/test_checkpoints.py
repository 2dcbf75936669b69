"""Checkpoints: what ships, what is refused, and that nothing is ever unpickled."""

import json
import pickle
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from robustaudio.audio.datasets import BUNDLED
from robustaudio.classifiers import checkpoints
from robustaudio.classifiers.architecture import Architecture
from robustaudio.classifiers.networks import Cnn
from robustaudio.training.recipes import RECIPES, Recipe
from robustaudio.ui import launch
from robustaudio.ui.words.choice import card_words

NAMES = checkpoints.names()
CLIP = str(BUNDLED / "seven-slt.wav")


def copied(folder, name="digits-cnn"):
    for suffix in (".safetensors", ".json"):
        shutil.copy(checkpoints.CHECKPOINTS / f"{name}{suffix}", folder)
    return folder / f"{name}.safetensors"


def test_every_recipe_ships_its_checkpoint_under_ten_megabytes():
    assert set(NAMES) == set(RECIPES)
    for name in NAMES:
        assert (checkpoints.CHECKPOINTS / f"{name}.safetensors").stat().st_size < 10e6


@pytest.mark.parametrize("name", NAMES)
def test_a_card_says_what_a_user_must_know(name):
    card = checkpoints.read_card(name)
    for key in ("task", "labels", "sample_rate", "test_accuracy", "bundled_accuracy", "gain",
                "data", "licence", "sha256", "architecture"):  # fmt: skip
        assert card.to_json()[key], key
    assert card.training.command == f"python -m robustaudio train {name}"
    if isinstance(recipe := RECIPES[name], Recipe):
        assert card.architecture == recipe.architecture
    assert card.training.seed == RECIPES[name].seed


@pytest.mark.parametrize("name", NAMES)
def test_the_bundled_clips_are_heard_as_the_card_says(name):
    classifier = checkpoints.load_classifier(name)
    from robustaudio.audio.datasets import open_dataset

    card = checkpoints.read_card(name)
    x, y = classifier.prepare_dataset(open_dataset(f"bundled-{card.task}"))
    accuracy = (classifier(x).argmax(1) == y).double().mean().item()
    assert accuracy == pytest.approx(card.bundled_accuracy)
    assert accuracy >= (0.8 if name == "instruments-svm-noise" else 0.9)  # noise costs it some


def test_saving_and_loading_gives_the_same_classifier(tmp_path):
    original = checkpoints.load_classifier("digits-lstm")
    architecture = RECIPES["digits-lstm"].architecture
    card = checkpoints.read_card("digits-lstm").to_json()
    path = checkpoints.save_classifier(original, architecture, card, tmp_path)
    x = torch.rand(2, original.length)
    assert torch.equal(checkpoints.load_classifier(path)(x), original(x))


def test_a_changed_file_is_refused(tmp_path):
    path = copied(tmp_path)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(ValueError, match="does not have the sha256 that its card names"):
        checkpoints.load_classifier(path)


def test_a_pickle_is_never_opened(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    path = copied(tmp_path)
    path.write_bytes(pickle.dumps(Bomb()))
    card = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps(card | {"sha256": checkpoints.sha256(path)}))
    with pytest.raises(ValueError, match="does not hold the weights its card describes"):
        checkpoints.load_classifier(path)
    bomb = tmp_path / "model.pt"
    bomb.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ValueError, match=r"is not a \.safetensors file"):
        checkpoints.load_classifier(bomb)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"architecture": {"labels": 3}}', "\xff"])
def test_a_broken_card_gives_one_sentence(tmp_path, text):
    path = copied(tmp_path)
    path.with_suffix(".json").write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match="is not a card that can be read"):
        checkpoints.load_classifier(path)


def test_weights_of_another_architecture_are_refused(tmp_path):
    path = copied(tmp_path)
    card = json.loads(path.with_suffix(".json").read_text())
    card["architecture"]["width"] = 64
    path.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(ValueError, match="does not hold the weights its card describes"):
        checkpoints.load_classifier(path)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match="no classifier 'digits'; choose from digits-balanced, "):
        checkpoints.load_classifier("digits")
    with pytest.raises(ValueError, match=r"is not a \.safetensors file"):
        checkpoints.load_classifier("../../etc/passwd")


# --- what is written is checked by what reads, and one broken thing stops nothing ----------------

OWN = Architecture(labels=("yes", "no"), sample_rate=8_000, length=8_000)
OWN_CARD = {"name": "mine", "task": "answers", "labels": ["yes", "no"]}


def saved(folder, **changes):
    return checkpoints.save_classifier(OWN.build("mine"), OWN, OWN_CARD | changes, folder)


@pytest.mark.parametrize(
    "card, sentence",
    [
        ({"name": "mine"}, "the card of 'mine' cannot be written: it lacks 'task', 'labels'"),
        ({}, "it lacks 'name', 'task', 'labels'"),
        ({"name": "mine", "labels": ["yes", "no"]}, "it lacks 'task'"),
        (OWN_CARD | {"task": None}, "its 'task' is None, and must be a text"),
        (OWN_CARD | {"task": ""}, "its 'task' is '', and must be a text"),
        (OWN_CARD | {"labels": "yes no"}, "its 'labels' must be a list of texts"),
        (OWN_CARD | {"labels": ["no", "yes"]}, "labels .* must be the classifier's, "),
        (OWN_CARD | {"name": "other"}, "name 'other' must be the classifier's, 'mine'"),
    ],
)
def test_a_card_that_could_not_be_read_is_not_written(card, sentence, tmp_path):
    with pytest.raises(ValueError, match=sentence):
        checkpoints.save_classifier(OWN.build("mine"), OWN, card, tmp_path / "new")
    assert not list(tmp_path.glob("**/*.*"))


@pytest.mark.parametrize("name", ["", "../mine", "a/b", "a\\b"])
def test_a_name_is_the_name_of_a_file(name, tmp_path):
    with pytest.raises(ValueError, match="must be the name of a file"):
        checkpoints.save_classifier(OWN.build(name), OWN, OWN_CARD | {"name": name}, tmp_path)


def test_nothing_is_left_half_written_and_the_old_stays(tmp_path):
    path = saved(tmp_path)
    before = path.read_bytes(), path.with_suffix(".json").read_bytes()
    other = replace(OWN, network=Cnn(width=8))  # not what the weights were built with
    with pytest.raises(ValueError, match="does not hold the weights its card describes"):
        checkpoints.save_classifier(OWN.build("mine"), other, OWN_CARD, tmp_path)
    with pytest.raises(TypeError, match="not JSON serializable"):
        saved(tmp_path, scores=torch.zeros(1))
    assert (path.read_bytes(), path.with_suffix(".json").read_bytes()) == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["mine.json", "mine.safetensors"]


def broken(folder, how):
    """A checkpoint "bad" in a folder, broken in some way."""
    path = copied(folder).rename(folder / "bad.safetensors")
    card = path.with_suffix(".json")
    said = json.loads((folder / "digits-cnn.json").read_text())
    (folder / "digits-cnn.json").unlink()
    if how in ("task", "name", "labels", "architecture", "sha256"):
        del said[how]
    card.write_text("{ no json" if how == "json" else json.dumps(said))
    if how == "weights":
        path.write_bytes(b"no tensors")
        card.write_text(json.dumps(said | {"sha256": checkpoints.sha256(path)}))
    if how == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    if how == "list":
        card.write_text("[]")
    if how == "deep":
        card.write_text("[" * 100_000)
    if how == "pointer":
        path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")


@pytest.mark.parametrize(
    "how, reason",
    [
        *((key, f"it lacks '{key}'") for key in ("task", "name", "labels", "architecture")),
        ("sha256", "it lacks 'sha256'"),
        ("json", "is not a card that can be read"),
        ("list", "it is no JSON object"),
        ("deep", "is not a card that can be read"),
        ("weights", "does not hold the weights its card describes"),
        ("pointer", "is a pointer of Git LFS, not the weights; run: git lfs pull"),
        ("cut", "does not have the sha256 that its card names"),
    ],
)
def test_a_checkpoint_that_cannot_be_used_is_named_once_and_the_others_go_on(
    how, reason, tmp_path, caplog
):
    broken(tmp_path, how)
    saved(tmp_path)
    copied(tmp_path, "digits-lstm")
    checkpoints._warn.cache_clear()
    for _ in range(2):
        assert checkpoints.names(tmp_path) == ["digits-lstm", "mine"]
    assert checkpoints.names(tmp_path, "answers") == ["mine"]
    (record,) = caplog.records
    assert "classifier 'bad' is left out: " in record.message and reason in record.message


def run_with(folder, *arguments):
    """A command in a program whose checkpoints lie in another folder."""
    code = (
        "import sys; from pathlib import Path; from robustaudio import paths;"
        f"paths.CHECKPOINTS = Path({str(folder)!r});"
        "from robustaudio.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_command_line_lists_and_advises_what_can_be_used(tmp_path):
    broken(tmp_path, "task")
    saved(tmp_path)
    listed = run_with(tmp_path, "classifiers")
    assert listed.returncode == 0 and "mine  answers" in listed.stdout
    (warning,) = listed.stderr.splitlines()
    assert warning.startswith("classifier 'bad' is left out: ") and "it lacks 'task'" in warning
    mistyped = run_with(tmp_path, "predict", CLIP, "--classifier", "mien")
    assert mistyped.returncode == 2
    assert mistyped.stderr.splitlines()[-1] == (
        "robustaudio: no classifier 'mien'; choose from mine."
    )
    used = run_with(tmp_path, "predict", CLIP, "--classifier", "mine", "--json")
    assert set(json.loads(used.stdout)["probabilities"]) == {"yes", "no"} and not used.stderr
    (tmp_path / "mine.json").unlink()
    none = run_with(tmp_path, "predict", CLIP, "--classifier", "mine2").stderr.splitlines()[-1]
    assert f"none: {tmp_path} holds no checkpoint that can be used" in none


def test_classifiers_are_listed_by_the_name_that_chooses_them(tmp_path):
    path = copied(tmp_path).rename(tmp_path / "copy.safetensors")
    card = (tmp_path / "digits-cnn.json").read_text()
    (tmp_path / "digits-cnn.json").unlink()
    path.with_suffix(".json").write_text(card, encoding="utf-8-sig")  # as some editors save it
    listed = run_with(tmp_path, "classifiers", "--json")
    assert [card["name"] for card in json.loads(listed.stdout)] == ["copy"] and not listed.stderr
    assert run_with(tmp_path, "predict", CLIP, "--classifier", "copy").returncode == 0


def test_the_page_shows_what_it_can(tmp_path, monkeypatch, caplog):
    broken(tmp_path, "task")
    saved(tmp_path)
    monkeypatch.setattr(launch, "usable", lambda: checkpoints.usable(tmp_path))
    with pytest.raises(ValueError, match=r"no classifier in .* can be used on the page"):
        launch.load_services()
    assert "'mine' is not on the page: its task is 'answers', and the page's are" in caplog.text
    for name in ("digits-cnn", "digits-lstm"):
        copied(tmp_path, name)
    shown = launch._of_the_page(checkpoints.usable(tmp_path))
    assert list(shown) == ["digits-cnn", "digits-lstm"]


def test_a_card_of_somebodys_own_is_shown_as_far_as_it_goes(tmp_path):
    words = card_words(checkpoints.read_card(saved(tmp_path)))
    assert "yes, no" in words and "1 s at 8000 Hz" in words and "licence" not in words
    for odd in (None, 7, "mel", [], {}):
        said = dict.fromkeys(("representations", "about", "training", "test_accuracy"), odd)
        words = card_words(checkpoints.read_card(saved(tmp_path, **said)))
        assert "yes, no" in words and "representations" not in words
