"""Words on proofs and votes: exactly what they cover."""

from dataclasses import replace

import pytest
from ui.results import certified, verified

from robustaudio.certification.smoothing import Smoothing
from robustaudio.evaluation.engine import measure_clip
from robustaudio.evaluation.verify import Verifying, verify
from robustaudio.threats.norms import MASKING, norm_named
from robustaudio.ui import figures
from robustaudio.ui.words.prove import interval_words, smoothing_words, verification_words
from robustaudio.ui.words.terms import BOUNDS


@pytest.mark.parametrize(
    "norm, level_db, proven",
    [
        ("linf", -60, "no perturbation with every sample within −60.0 dB of the clip's peak"),
        ("l2", -60, "L2 norm of at most −60.0 dB of the clip's (SNR 60.0 dB or more)"),
        ("masking", -30, "nothing that stays 30.0 dB below the clip's masking threshold in every"),
    ],
)
@pytest.mark.parametrize("method", ["interval", "crown"])
def test_a_verdict_says_exactly_what_is_proven(services, source, norm, level_db, proven, method):
    classifier, clip = services.open(source, "digits-cnn-ibp")
    result = measure_clip(
        verify, classifier, clip.samples, Verifying(norm_named(norm), level_db, method)
    )
    words = verification_words(result)
    assert result.verified and ">PROVEN<" in words and proven in words
    assert "over the whole 1 s" in words and BOUNDS[method] in words
    assert f"relative to {norm_named(norm).words.relative_to}" in words
    for assumption in ("96 dB SPL", "no temporal masking", "turns the volume up", "32 ms"):
        assert (assumption in words) == (norm == "masking")


@pytest.mark.parametrize(
    "level_db, subject", [(0, "stays at or below the clip's"), (6, "threshold by at most 6.0 dB")]
)
def test_a_level_at_or_above_the_threshold_is_not_called_below(services, source, level_db, subject):
    classifier, clip = services.open(source, "digits-lstm-ibp")
    result = measure_clip(verify, classifier, clip.samples, Verifying(MASKING, level_db))
    words = verification_words(result)
    assert "NOT PROVEN" in words and "something that" in words and subject in words
    assert "not proven is not broken" in words
    assert "follow a pre-emphasis of" in words and "weighted bin by bin" in words


def test_the_caption_explains_a_proof_whose_intervals_overlap():
    result = verified(
        prediction="1",
        logits_lower={"0": -3.0, "1": 1.0, "2": -1.0},
        logits_upper={"0": 0.5, "1": 4.0, "2": 2.0},
    )
    assert "Red: 2, which" in interval_words(result)
    assert "It is proven all the same" in interval_words(result)
    open_still = interval_words(replace(result, verified=False))
    assert "A proof may hold where intervals overlap" in open_still
    clear = interval_words(replace(result, logits_upper={"0": 0.5, "1": 4, "2": 0.9}))
    assert "No other label reaches it" in clear and "Red" not in clear


def test_a_smoothed_class_that_differs_is_said_so():
    result = certified(clean_prediction="0", radius=0.6, level_l2_db=-27.0, level_linf_db=-43.0)
    assert "the classifier itself hears 0" in smoothing_words(result)


HOLDS, BROKEN = "ra-card ra-holds", "ra-card ra-broken"


@pytest.mark.parametrize(
    "changes, truth, colour",
    [
        ({}, "7", BROKEN),
        ({}, None, BROKEN),  # an own clip: what the classifier itself hears counts
        ({"prediction": "7"}, "7", HOLDS),
        ({"prediction": "7"}, None, HOLDS),
        ({"prediction": "7"}, "5", BROKEN),  # vote and classifier agree, and both mishear
        ({"prediction": "5"}, "5", HOLDS),  # the vote hears what the classifier does not
        ({"prediction": None, "radius": 0.0}, "7", BROKEN),
        ({"prediction": "electric_guitar"}, "electric guitar", HOLDS),
    ],
)
def test_a_certificate_is_green_only_where_it_is_right(changes, truth, colour):
    words = smoothing_words(certified(**changes), truth)
    assert f"class='{colour}'" in words
    assert ("The vote hears" in words) == (colour == BROKEN and "ABSTAIN" not in words)


def test_a_vote_for_another_class_says_what_would_help():
    words = smoothing_words(certified(), "7", "digits-cnn-noise")
    assert (
        "The vote hears 5, not 7: this classifier was not trained for this noise. "
        "Try digits-cnn-noise."
    ) in words
    assert "Try" not in smoothing_words(certified(), "7")


@pytest.mark.parametrize("sigma, n, alpha", [(0.25, 1000, 0.001), (0.5, 200, 0.01)])
def test_the_largest_radius_is_called_what_it_is(sigma, n, alpha):
    largest = Smoothing(sigma=sigma, n=n, alpha=alpha).largest_radius
    asked = {"sigma": sigma, "n": n, "alpha": alpha, "prediction": "7"}
    capped = smoothing_words(certified(**asked, radius=largest), "7")
    assert f"the most that {n} votes can show" in capped
    less = smoothing_words(certified(**asked, radius=0.99 * largest), "7")
    assert "the most that" not in less


@pytest.mark.parametrize(
    "prediction, proven, truth, colour, headline",
    [
        ("7", True, "7", HOLDS, ">PROVEN<"),
        ("7", True, None, HOLDS, ">PROVEN<"),
        ("3", True, "7", BROKEN, ">PROVEN 3, wrong<"),
        ("3", False, "7", BROKEN, ">NOT PROVEN<"),
        ("7", False, "7", BROKEN, ">NOT PROVEN<"),
    ],
)
def test_a_proof_of_a_mistake_is_not_green(prediction, proven, truth, colour, headline):
    words = verification_words(verified(prediction=prediction, verified=proven), truth)
    assert f"class='{colour}'" in words and headline in words
    assert ("It hears 3, and this clip is labelled 7" in words) == (prediction == "3")


def test_labels_are_words_in_sentences_and_pictures():
    proof = verified(
        prediction="electric_guitar", verified=False,
        logits_lower={"acoustic_guitar": 0.0, "electric_guitar": 1.0},
        logits_upper={"acoustic_guitar": 2.0, "electric_guitar": 3.0},
    )  # fmt: skip
    vote = certified(n=3, counts={"acoustic_guitar": 1, "electric_guitar": 2})
    assert "least logit of electric guitar over" in interval_words(proof)
    assert "Red: acoustic guitar" in interval_words(proof)
    for figure in (figures.votes(vote), figures.logit_intervals(proof)):
        assert list(figure.data[0].x) == ["acoustic guitar", "electric guitar"]
    pair = {"acoustic_guitar": 0.25, "electric_guitar": 0.75}
    changed = dict(reversed(pair.items()))  # in whatever order a record has them
    clean, perturbed = figures.probabilities(pair, changed).data
    assert list(clean.x) == list(perturbed.x) == ["acoustic guitar", "electric guitar"]
    assert list(clean.y) == list(perturbed.y) == [0.25, 0.75]
