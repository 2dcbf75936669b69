"""Words on a perturbation: what changed, and what rounding leaves."""

from dataclasses import replace

import pytest
from ui.results import noisy

from robustaudio.attacks import FGSM, PGD, DeepFool
from robustaudio.evaluation.attack import Attacking, Plan, attack
from robustaudio.evaluation.engine import measure_clip
from robustaudio.evaluation.noise import AddingNoise, add_noise
from robustaudio.threats.norms import L2, MASKING
from robustaudio.ui.html import decibel
from robustaudio.ui.words.hear_and_break import perturbation_words


def test_words_say_what_changed_and_what_rounding_leaves(services, source):
    classifier, clip = services.open(source, "digits-cnn")
    result = measure_clip(attack, classifier, clip.samples, Attacking(Plan(PGD()), -45))
    words = perturbation_words(result)
    assert "<strong>7</strong> → <strong>3</strong>" in words and "−45.0 dB" in words
    assert "survives rounding to 16 bit" in words
    lost = replace(result, success_after_rounding=False)
    assert "does NOT survive rounding" in perturbation_words(lost)
    assert "PGD in L∞ on digits-cnn" in words
    assert "allowed −45.0 dB of the clip's peak" in words
    total, most = (result.difference.noise_to_mask_db, result.difference.max_noise_to_mask_db)
    heard = f"noise-to-mask {decibel(total)}, at most {decibel(most)}"
    assert heard in words and "disturbed frames" in words


def test_words_name_the_norm_that_was_asked_for(services, source):
    classifier, clip = services.open(source, "digits-cnn")
    result = measure_clip(attack, classifier, clip.samples, Attacking(Plan(PGD(), L2), -30))
    assert "L2 level −30.0 dB of the clip's energy" in perturbation_words(result)


def test_words_on_an_attack_at_a_representation_speak_of_its_sound(services, source):
    classifier, clip = services.open(source, "digits-cnn")
    plan = Plan(FGSM(), representation="mel")
    result = measure_clip(attack, classifier, clip.samples, Attacking(plan, -40))
    words = perturbation_words(result)
    done = "succeeded" if result.success else "did not succeed"
    assert f"at the mel itself the attack {done}" in words and "closest inversion" in words
    assert "FGSM in L∞ on digits-cnn at the mel" in words
    assert "allowed −40.0 dB of the mel's largest value" in words


def test_words_on_another_label_than_the_target_do_not_promise_it(services, source):
    classifier, clip = services.open(source, "digits-cnn")
    result = measure_clip(attack, classifier, clip.samples, Attacking(Plan(DeepFool()), 0))
    targeted = replace(result, targeted=True, target="0")
    words = perturbation_words(targeted)
    assert "target 0 not reached" in words and "rounding" not in words
    reached = perturbation_words(replace(targeted, target=result.prediction))
    assert "reached" in reached and "rounding to 16 bit" in reached


def test_a_masking_attack_has_its_level_relative_to_the_threshold(services, source):
    classifier, clip = services.open(source, "digits-cnn")
    plan = Plan(FGSM(), MASKING)
    result = measure_clip(attack, classifier, clip.samples, Attacking(plan, 10))
    reached = decibel(result.reached_db)
    words = perturbation_words(result)
    assert f"level {reached} relative to the masking threshold, on the classifier's" in words
    assert f"largest sample {decibel(result.difference.level_db)} of the" in words


def test_no_noise_is_no_perturbation(services, source):
    classifier, clip = services.open(source, "digits-cnn")
    result = measure_clip(add_noise, classifier, clip.samples, AddingNoise(0.0, "mel"))
    words = perturbation_words(result)
    assert "no perturbation at all" in words and "inversion" not in words


HOLDS, BROKEN = "ra-card ra-holds", "ra-card ra-broken"


@pytest.mark.parametrize(
    "before, after, truth, colour, said",
    [
        ("7", "7", "7", HOLDS, "the decision holds"),
        ("7", "7", None, HOLDS, "the decision holds"),
        ("7", "3", "7", BROKEN, "the decision changed"),
        ("3", "3", "7", BROKEN, "holds; it was wrong before: this clip is labelled 7"),
        ("3", "7", "7", BROKEN, "changed; it was wrong before: this clip is labelled 7"),
        ("electric_guitar", "electric_guitar", "electric guitar", HOLDS, "the decision holds"),
    ],
)
def test_a_perturbation_is_green_only_where_a_right_decision_holds(
    before, after, truth, colour, said
):
    words = perturbation_words(noisy(before, after), truth)
    assert f"class='{colour}'" in words and said in words
