"""What a visitor wants done: its command, its levels, and what cannot be."""

import shlex
from pathlib import Path

import pytest
from ui.wishes import defaults, wish

from robustaudio.cli import parser
from robustaudio.threats.norms import NORMS
from robustaudio.ui.opened import command_line
from robustaudio.ui.wish import METHODS, NOISE, start_level_db
from robustaudio.ui.words.hear_and_break import about_level


@pytest.mark.parametrize(
    "wanted",
    [wish(method=method) for method in METHODS]
    + [
        wish(method="bim", target="3", options={"steps": 7, "step_size": 0.3, "variant": "b"}),
        wish(options=defaults("pgd") | {"random_start": False}),
        wish(method="jsma", representation="mel"),
        wish(survive_rounding=True, norm="masking", level_db=0),
    ],
    ids=lambda wanted: wanted.method,
)
def test_the_command_of_a_wish_parses_to_the_same_settings(source, wanted):
    command = command_line(wanted.verb, source, "digits-cnn", wanted.flags)
    arguments = parser().parse_args(shlex.split(shlex.join(command))[3:])
    assert arguments.classifier == "digits-cnn" and arguments.seed == 0
    assert Path(arguments.clip).name == "seven-slt.wav"
    assert arguments.representation == wanted.representation
    if wanted.method == NOISE:
        assert arguments.sigma == [0.1]
        return
    assert arguments.attack == wanted.method and arguments.level_db == [wanted.level_db]
    assert (arguments.norm, arguments.survive_rounding) == (wanted.norm, wanted.survive_rounding)
    assert {name: getattr(arguments, name) for name in wanted.options} == wanted.options


def test_what_minimises_by_itself_begins_at_the_largest_level_and_says_so():
    assert start_level_db("pgd", "linf") == -45 and start_level_db("psychoacoustic", "linf") == 0
    assert start_level_db("bim", "masking") == 0 < start_level_db("cw-audio", "masking")
    for method in METHODS:
        told = "largest allowed" in about_level(method, "l2", "waveform")
        assert told == (method in ("deepfool", "cw", "cw-audio", "psychoacoustic"))
    assert "own frames and bins, which is 0 dB" in about_level("pgd", "masking", "waveform")
    assert about_level("pgd", "linf", "mel") == "Relative to the mel's largest value."
    assert about_level("pgd", "l2", "magnitude") == "Relative to the magnitude's L2 norm."
    for method in METHODS:
        for norm in NORMS.values():
            low, high = norm.levels.attacked
            assert low <= start_level_db(method, norm.name) <= high


@pytest.mark.parametrize(
    "impossible, sentence",
    [
        (wish(method="jsma", options={"share": 2.0, "at_once": 16}), "share 2.0 must be at most 1"),
        (wish(method="jsma", options={"share": 0.1, "at_once": 0}), "at_once 0 must be at least 1"),
        (wish(options=defaults("pgd") | {"steps": 2.5}), "steps 2.5 must be a whole number"),
        (wish(norm="masking", representation="mel"), "masking set is one of waveforms"),
        (wish(method="psychoacoustic", representation="mel"), "of a waveform, not of 'mel'"),
        (wish(survive_rounding=True, representation="magnitude"), "of a waveform, not of"),
        (wish(level_db=1e9), "must lie within"),
        (wish(target="7"), "the target '7' is already the prediction"),
    ],
)
def test_what_cannot_be_is_refused_with_one_sentence(services, source, impossible, sentence):
    classifier, clip = services.open(source, "digits-cnn")
    with pytest.raises(ValueError, match=sentence) as refused:
        impossible.run(classifier, clip, lambda share, step=None: None)
    assert "\n" not in str(refused.value)
