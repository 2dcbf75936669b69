"""The ruler: whose mark is whose, and what people heard beside it."""

from dataclasses import asdict, replace

import pytest

from robustaudio.attacks import PGD
from robustaudio.audio.datasets import open_dataset
from robustaudio.certification.smoothing import Smoothing
from robustaudio.classifiers import checkpoints
from robustaudio.evaluation.heard import Heard, Listener, claims
from robustaudio.evaluation.ruler import measure_ruler
from robustaudio.ui.html import decibel
from robustaudio.ui.launch import load_services
from robustaudio.ui.sources import Source
from robustaudio.ui.widgets.axis import THRESHOLD
from robustaudio.ui.words.ruler import ruler_html


@pytest.fixture(scope="module")
def services():
    return load_services()


@pytest.fixture(scope="module")
def source(services):
    name = "7 · flite slt"
    return Source(name, services.clips["digits"][name], "digits")


@pytest.mark.parametrize(
    "name, smoothed", [("digits-cnn", "not trained"), ("digits-cnn-noise", "R / √T")]
)
def test_the_ruler_tells_whose_mark_is_whose(services, source, name, smoothed):
    classifier, clip = services.open(source, name)
    record = measure_ruler(classifier, clip.samples, smoothing=Smoothing(n=200))
    picture = ruler_html(record)
    assert smoothed in picture and "the attack needs" in picture
    assert "-" not in "".join(part.split("</b>")[0] for part in picture.split("<b>")[1:])
    ruler = record["ruler"]
    for strip, level in (("ra-of-l2", "verified_l2_db"), ("ra-of-masking", "verified_masking_db")):
        own = picture.split(strip)[1].split("</section>")[0]
        assert f"<span class='ra-level'>{decibel(ruler[level])}" in own
    assert f"SNR of {decibel(-ruler['verified_l2_db'])} or more" in picture
    assert f"left:{THRESHOLD.at(0):.2f}%" in picture.split("ra-zero")[1]


def heard_record(heard: list[Heard]) -> dict:
    none = dict.fromkeys(("smoothed_db", "verified_masking_db"))
    levels = {"verified_db": -46.6, "attacked_db": -31.1, "floor_16_bit_db": -90.3, **none}
    levels["verified_l2_db"] = -49.1
    return {
        "classifier": "digits-cnn-ibp", "prediction": "7", "method": "crown", "norms": ["linf"],
        "ruler": levels, "smoothing": {"sigma": 0.25}, "smoothed_prediction": None,
        "unproven": None, "attacked_l2_db": -27.7, 
        "heard": [asdict(one) for one in heard],
        "claims": claims(-49.1, heard),
    }  # fmt: skip


def test_what_people_heard_stands_on_the_l2_strip_with_both_claims():
    heard = [
        Heard("white", (Listener(-66.0, -63.0, -57.0),) * 9, "=", -60.0, -63.0, -57.0, -70.0),
        Heard("shaped", (Listener(-25.0, -22.0, None),) * 9, ">=", -20.0, -22.0, None, -29.0),
        Heard("<b>", (Listener(None, None, None),) * 9, None, None, None, None),
    ]
    picture = ruler_html(heard_record(heard))
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
    alone = (Listener(None, None, -58.0),)
    one = Heard("white", alone, "<=", -60.0, None, -58.0, simulated=True)
    assert "One simulated listener heard white noise at ≤ −60.0 dB" in ruler_html(
        heard_record([one])
    )


def test_an_attack_on_another_classifier_is_called_so():
    own = Heard("pgd", (Listener(None, None, None),), "=", -40.0, None, None)
    for against, said in ((None, False), ("digits-cnn-ibp", False), ("digits-<b>", True)):
        picture = ruler_html(heard_record([replace(own, made_against=against)]))
        words = "The attack pgd was made against digits-&lt;b&gt;, not against this classifier."
        assert (words in picture) == said == ("made against" in picture)


def test_beside_another_ruler_what_people_heard_is_not_drawn_again():
    heard = [Heard("pgd", (Listener(None, None, -58.0),), "=", -60.0, None, None, None, False, "x")]
    picture = ruler_html(heard_record(heard), beside=True)
    assert "ra-heard'" not in picture and "Heard: at d′ = 1" not in picture
    assert (
        "In L2: nothing below −49.1 dB can fool this model; the attack needs −27.7 dB." in picture
    )
    assert "made against x" in picture and picture.count("<li>") == 2


def test_a_ruler_without_a_masking_set_says_so():
    record = {
        "classifier": "dense", "prediction": "5", "method": "crown", "norms": ["linf", "l2"],
        "ruler": {"verified_db": None, "attacked_db": None, "smoothed_db": None,
                  "floor_16_bit_db": -90.3, "verified_l2_db": None, "verified_masking_db": None},
        "smoothing": {"sigma": 0.25}, "smoothed_prediction": None, "unproven": None,
    }  # fmt: skip
    assert "not defined: this classifier does not start" in ruler_html(record)
    record["norms"].append("masking")
    assert "nothing is proven above −100 dB, relative to the threshold" in ruler_html(record)
    record["ruler"]["verified_masking_db"] = 2.0
    assert "nothing under the threshold changes the decision" in ruler_html(record)


def test_the_ruler_has_no_green_for_a_mistake_and_a_strip_of_its_own_for_the_vote():
    ruler = dict.fromkeys(("verified_l2_db", "verified_masking_db"))
    ruler |= {"verified_db": -60.0, "attacked_db": -40.0, "smoothed_db": -30.0}
    record = {
        "classifier": "c", "prediction": "3", "method": "crown", "norms": ["linf"],
        "ruler": {**ruler, "floor_16_bit_db": -90.3}, "smoothing": {"sigma": 0.25},
        "smoothed_prediction": "3", "unproven": None,
    }  # fmt: skip
    assert "ra-wrong" in ruler_html(record, truth="7")
    assert "It hears 3, and this clip is labelled 7" in ruler_html(record, truth="7")
    assert "ra-wrong" not in ruler_html(record, truth="3") + ruler_html(record)
    axis, apart = ruler_html(record).split("Another classifier")
    assert "−30.0 dB" not in axis and "moothed" not in axis and "−30.0 dB" in apart


def test_the_ruler_of_what_has_no_interval_rule_measures_the_rest_and_says_why():
    classifier = checkpoints.load_classifier("instruments-svm")
    clip = classifier.prepare(next(open_dataset("bundled-instruments").clips()))
    quick = {"smoothing": Smoothing(n0=10, n=50), "attack": PGD(steps=2)}
    record = measure_ruler(classifier, clip.samples, **quick)
    assert record["ruler"]["attacked_db"] < 0
    assert record["ruler"]["verified_db"] is record["ruler"]["verified_l2_db"] is None
    picture = ruler_html(record)
    assert picture.count("the last layer must be dense, not") == 1
    assert picture.count("no proof, as above") == 2
    assert "nothing is proven; the attack needs" in picture
