"""A verdict claims what was shown, and no more."""

from robustaudio.listening.analysis.claims import Claim, claim_of, claim_of_group


def test_a_verdict_says_what_was_shown():
    assert claim_of(0.04, 0.9, 0.6).verdict == "heard"
    assert claim_of(0.04, 0.59, 0.6).verdict == "heard"
    assert claim_of(0.06, 0.59, 0.6).verdict == "inaudible"
    assert claim_of(0.06, 0.6, 0.6).verdict == "undecided"


def test_a_group_of_whom_some_hear_it_is_not_called_deaf():
    inaudible = Claim("inaudible", "Inaudible.")
    assert claim_of_group(inaudible, {"a": 0.5, "b": 0.9}) == inaudible
    assert claim_of_group(inaudible, {"a": 0.001, "b": 0.9}).verdict == "heard by some"
    assert claim_of_group(Claim("heard", "Heard."), {"a": 0.001}).verdict == "heard"
