"""Checkpoints: what ships, what is refused, and that nothing is ever unpickled."""

import json
import pickle
import shutil

import pytest
import torch

from robustaudio.classifiers import checkpoints
from robustaudio.training.recipes import RECIPES, Recipe

NAMES = checkpoints.names()


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
        assert card[key], key
    assert card["training"]["command"] == f"python -m robustaudio train {name}"
    if isinstance(recipe := RECIPES[name], Recipe):
        assert checkpoints.architecture_of(card) == recipe.architecture
    assert card["training"]["seed"] == RECIPES[name].seed


@pytest.mark.parametrize("name", NAMES)
def test_the_bundled_clips_are_heard_as_the_card_says(name):
    classifier = checkpoints.load_classifier(name)
    from robustaudio.audio.datasets import open_dataset

    card = checkpoints.read_card(name)
    x, y = classifier.prepare_dataset(open_dataset(f"bundled-{card['task']}"))
    accuracy = (classifier(x).argmax(1) == y).double().mean().item()
    assert accuracy == pytest.approx(card["bundled_accuracy"])
    assert accuracy >= (0.8 if name == "instruments-svm-noise" else 0.9)  # noise costs it some


def test_saving_and_loading_gives_the_same_classifier(tmp_path):
    original = checkpoints.load_classifier("digits-lstm")
    architecture = RECIPES["digits-lstm"].architecture
    card = checkpoints.read_card("digits-lstm")
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
