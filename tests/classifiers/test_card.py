"""A card is a value: what a file says of a classifier survives a round trip, and is typed."""

import json
from dataclasses import replace

import pytest

from robustaudio.classifiers.card import Card
from robustaudio.paths import CHECKPOINTS, HOME

FILES = sorted([*CHECKPOINTS.glob("*.json"), *(HOME / "docs/results/seeds").glob("*.json")])
SAID = json.loads((CHECKPOINTS / "digits-cnn-noise.json").read_text())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_all_that_a_card_says_is_said_again_in_its_order(path):
    said = json.loads(path.read_text())
    again = json.loads(json.dumps(Card.from_json(said).to_json()))
    build, build_again = said.pop("architecture"), again.pop("architecture")
    assert json.dumps(again) == json.dumps(said)
    assert build.items() <= build_again.items()
    assert not Card.from_json(said | {"architecture": build}).more


def test_what_no_field_holds_is_kept():
    said = SAID | {
        "paper": "mine",
        "accuracies": 3,
        "about": ["a list"],
        "length": 7,
        "training": {"seed": "x"},
    }
    card = Card.from_json(said)
    assert card.about == "" and card.length == 8_000 and card.training.seed is None
    assert {key: card.to_json()[key] for key in said} == {
        **said, "architecture": card.architecture.to_json()
    }  # fmt: skip


def test_the_noise_of_the_training_is_known():
    card = Card.from_json(SAID)
    assert card.training.noise_sigma == 0.25
    plain = replace(card.training, objective={"kind": "Plain", "sigma": 1.0})
    assert plain.noise_sigma == replace(plain, objective=None).noise_sigma == 0


def test_a_gain_that_nobody_knows_is_refused():
    assert Card.from_json(SAID | {"gain": "none"}).gain.name == "none"
    with pytest.raises(ValueError, match="no gain 'loud'; choose from peak, none"):
        Card.from_json(SAID | {"gain": "loud: as it comes"})
