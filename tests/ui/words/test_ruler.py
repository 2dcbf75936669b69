"""The ruler: whose mark is whose, and what people heard beside it."""

from dataclasses import replace

import pytest
from ui.results import ruler

from robustaudio.attacks import PGD
from robustaudio.audio.datasets import open_dataset
from robustaudio.certification.smoothing import Smoothing
from robustaudio.classifiers import checkpoints
from robustaudio.evaluation.engine import measure_clip
from robustaudio.evaluation.hearing_thresholds import HearingThreshold
from robustaudio.evaluation.listening_study import ListenerThreshold
from robustaudio.evaluation.results import Ruler
from robustaudio.evaluation.ruler import Measuring, measure_ruler
from robustaudio.threats.norms import L2, LINF, MASKING
from robustaudio.ui.html import decibel
from robustaudio.ui.widgets.axis import THRESHOLD
from robustaudio.ui.words.ruler import ruler_html


@pytest.mark.parametrize(
    "name, smoothed", [("digits-cnn", "not trained"), ("digits-cnn-noise", "R / √T")]
)
def test_the_ruler_tells_whose_mark_is_whose(services, source, name, smoothed):
    classifier, clip = services.open(source, name)
    measured = measure_clip(measure_ruler, classifier, clip.samples, Measuring(Smoothing(n=200)))
    picture = ruler_html(measured)
    assert smoothed in picture and "the attack needs" in picture
    assert "-" not in "".join(part.split("</b>")[0] for part in picture.split("<b>")[1:])
    for strip, norm in (("ra-of-l2", L2), ("ra-of-masking", MASKING)):
        own = picture.split(strip)[1].split("</section>")[0]
        assert f"<span class='ra-level'>{decibel(measured.level_db('verified', norm))}" in own
    assert f"SNR of {decibel(-measured.level_db('verified', L2))} or more" in picture
    assert f"left:{THRESHOLD.at(0):.2f}%" in picture.split("ra-zero")[1]


def with_heard(heard: list[HearingThreshold]) -> Ruler:
    levels_db = {"verified": -46.6, "attacked": -31.1, "smoothed": None}
    levels_db |= {"verified_l2": -49.1, "verified_masking": None}
    return ruler(levels_db, heard=heard, attacked_l2_db=-27.7, classifier="digits-cnn-ibp")


def test_what_people_heard_stands_on_the_l2_strip_with_both_claims():
    heard = [
        HearingThreshold(
            "white", (ListenerThreshold(-66.0, -63.0, -57.0),) * 9, "=", -60.0, -63.0, -57.0, -70.0
        ),
        HearingThreshold(
            "shaped", (ListenerThreshold(-25.0, -22.0, None),) * 9, ">=", -20.0, -22.0, None, -29.0
        ),
        HearingThreshold("<b>", (ListenerThreshold(None, None, None),) * 9, None, None, None, None),
    ]
    picture = ruler_html(with_heard(heard))
    strip = picture.split("ra-of-l2")[1].split("</section>")[0]
    assert picture.count("ra-heard'") == strip.count("ra-heard'") == 3
    assert (
        "9 listeners heard white noise at −60.0 dB, shaped noise at ≥ −20.0 dB, &lt;b&gt; without "
        "a common threshold; nothing below −49.1 dB can fool this model; the attack needs −27.7 dB "
        "(all in L2)"
    ) in strip
    assert "<strong>refuted</strong>, heard inside the certificate: white noise" in strip
    assert "<strong>not shown</strong>, not yet heard where the certificate ends: shaped" in strip
    assert "95 % interval −63.0 dB to −57.0 dB; by the masking model inaudible below" in strip
    assert "95 % interval from −22.0 dB on" in strip and "<b>" not in strip.split("<dl>")[1]
    alone = (ListenerThreshold(None, None, -58.0),)
    one = HearingThreshold("white", alone, "<=", -60.0, None, -58.0, simulated=True)
    assert "One simulated listener heard white noise at ≤ −60.0 dB" in ruler_html(with_heard([one]))


def test_an_attack_on_another_classifier_is_called_so():
    own = HearingThreshold("pgd", (ListenerThreshold(None, None, None),), "=", -40.0, None, None)
    for against, said in ((None, False), ("digits-cnn-ibp", False), ("digits-<b>", True)):
        picture = ruler_html(with_heard([replace(own, made_against=against)]))
        words = "The attack pgd was made against digits-&lt;b&gt;, not against this classifier."
        assert (words in picture) == said == ("made against" in picture)


def test_beside_another_ruler_what_people_heard_is_not_drawn_again():
    heard = [
        HearingThreshold(
            "pgd", (ListenerThreshold(None, None, -58.0),), "=", -60.0, None, None, None, False, "x"
        )
    ]
    picture = ruler_html(with_heard(heard), beside=True)
    assert "ra-heard'" not in picture and "HearingThreshold: at d′ = 1" not in picture
    assert (
        "In L2: nothing below −49.1 dB can fool this model; the attack needs −27.7 dB." in picture
    )
    assert "made against x" in picture and picture.count("<li>") == 2


def test_a_ruler_without_a_masking_set_says_so():
    levels_db = dict.fromkeys(
        ("verified", "attacked", "smoothed", "verified_l2", "verified_masking")
    )
    assert "not defined: this classifier does not start" in ruler_html(ruler(levels_db, (LINF, L2)))
    norms = (LINF, L2, MASKING)
    nothing = ruler_html(ruler(levels_db, norms))
    assert "nothing is proven above −100 dB, relative to the threshold" in nothing
    above = ruler_html(ruler(levels_db | {"verified_masking": 2.0}, norms))
    assert "nothing under the threshold changes the decision" in above


def test_the_ruler_has_no_green_for_a_mistake_and_a_strip_of_its_own_for_the_vote():
    levels_db = {"verified": -60.0, "attacked": -40.0, "smoothed": -30.0}
    measured = ruler(levels_db, prediction="3", smoothed_prediction="3")
    assert "ra-wrong" in ruler_html(measured, truth="7")
    assert "It hears 3, and this clip is labelled 7" in ruler_html(measured, truth="7")
    assert "ra-wrong" not in ruler_html(measured, truth="3") + ruler_html(measured)
    axis, apart = ruler_html(measured).split("Another classifier")
    assert "−30.0 dB" not in axis and "moothed" not in axis and "−30.0 dB" in apart


def test_the_ruler_of_what_has_no_interval_rule_measures_the_rest_and_says_why():
    classifier = checkpoints.load_classifier("instruments-svm")
    clip = classifier.prepare(next(open_dataset("bundled-instruments").clips()))
    quick = Measuring(Smoothing(n0=10, n=50), PGD(steps=2))
    measured = measure_clip(measure_ruler, classifier, clip.samples, quick)
    assert measured.level_db("attacked") < 0
    assert measured.level_db("verified") is measured.level_db("verified", L2) is None
    picture = ruler_html(measured)
    assert picture.count("the last layer must be dense, not") == 1
    assert picture.count("no proof, as above") == 2
    assert "nothing is proven; the attack needs" in picture
