"""What is read from the source is what the modules say once they are imported."""

from dataclasses import fields

import pytest

from robustaudio import declared
from robustaudio.attacks import ATTACKS
from robustaudio.audio.clip import SUBTYPES
from robustaudio.certification.smoothing import Smoothing
from robustaudio.certification.verify import METHODS
from robustaudio.evaluation.maximise import STARTS
from robustaudio.listening.simulated_listeners import Listener
from robustaudio.options import option_of
from robustaudio.reports.tables import TABLES
from robustaudio.threats.norms import NORMS
from robustaudio.training.recipes import RECIPES


def described(options):
    return [(field.name, field.type, field.default, option_of(field)) for field in options]


def test_every_option_of_every_attack():
    read = declared.options_of_each("attacks", "ATTACKS")
    assert {name: described(options) for name, options in read.items()} == {
        name: described(fields(kind)) for name, kind in ATTACKS.items()
    }


def test_the_options_of_smoothing():
    read = declared.options("certification.smoothing", "Smoothing")
    assert described(read) == described(fields(Smoothing))


def test_tables_and_constants():
    assert declared.keys("threats.norms", "NORMS") == list(NORMS)
    assert declared.keys("reports.tables", "TABLES") == list(TABLES)
    assert declared.first_arguments("training.recipes", "Recipe", "SvmRecipe") == list(RECIPES)
    assert declared.value("audio.clip", "SUBTYPES") == SUBTYPES
    assert declared.value("certification.verify", "METHODS") == METHODS
    assert declared.value("evaluation.maximise", "STARTS") == STARTS
    assert (
        declared.value("listening.simulated_listeners", "TYPICAL_SPREAD_DB") == Listener.spread_db
    )
    assert declared.value("listening.simulated_listeners", "TYPICAL_LAPSE") == Listener.lapse_rate


def test_what_is_not_declared():
    with pytest.raises(LookupError, match=r"robustaudio\.audio\.clip declares no SHAPES"):
        declared.value("audio.clip", "SHAPES")
