"""Results as tracks: one gain for all but what says its own."""

from robustaudio.attacks import FGSM
from robustaudio.evaluation.attack import Attacking, Plan, attack
from robustaudio.evaluation.engine import measure_clip
from robustaudio.evaluation.exhibits import exhibits
from robustaudio.evaluation.noise import AddingNoise, add_noise
from robustaudio.evaluation.verify import noise_under_threshold
from robustaudio.ui.tracks import exhibit_tracks, noise_tracks, player_tracks
from robustaudio.ui.words.hear_and_break import exhibits_words
from robustaudio.ui.words.prove import noise_words


def test_exhibits_stand_side_by_side_at_one_level(services, source):
    classifier, clip = services.open(source, "digits-cnn")
    plan = Plan(FGSM())
    result = measure_clip(attack, classifier, clip.samples, Attacking(plan, -40))
    shown = exhibits(classifier, result.clean, result.perturbed, seed=0)
    value = exhibit_tracks(result.clean, shown, clip.sample_rate)
    assert [track["key"] for track in value["tracks"]] == ["A", "B", "C", "D"]
    assert {track["gain_db"] for track in value["tracks"]} == {0}
    rows = exhibits_words(shown, result).split("<tr>")[2:]
    names = ("FGSM", "uniform noise, same L2", "clip 5 samples late")
    for row, name, exhibit in zip(rows, names, shown, strict=True):
        assert name in row and f"<td>{exhibit.l2:.4g}</td>" in row
        changed = exhibit.prediction != result.clean_prediction
        assert ("ra-changed" in row) == changed


def test_the_tracks_share_one_gain_and_the_difference_says_its_own(services, source):
    classifier, clip = services.open(source, "digits-cnn")
    result = measure_clip(add_noise, classifier, clip.samples, AddingNoise(0.01))
    value = player_tracks(result, clip.sample_rate)
    gains = {track["key"]: track["gain_db"] for track in value["tracks"]}
    assert gains["A"] == gains["B"] == 0 and gains["D"] > 0
    assert value["common_gain_db"] <= 0


def test_two_noises_of_one_energy_share_one_amplification(services, source):
    classifier, clip = services.open(source, "digits-cnn-ibp")
    noise = noise_under_threshold(classifier, clip.samples, level_db=-12, seed=0)
    value = noise_tracks(clip.samples, noise, clip.sample_rate)
    gains = {track["key"]: track["gain_db"] for track in value["tracks"]}
    assert gains["A"] == gains["B"] == gains["C"] == 0 < gains["D"] == gains["E"]
    words = noise_words(noise)
    assert "shaped: 12.0 dB below the threshold" in words and "the same energy" in words
    assert "above the threshold in its worst bin" in words.split("white:")[1]
    above = noise_under_threshold(classifier, clip.samples, level_db=20, seed=0)
    noise_tracks(clip.samples, above, clip.sample_rate)  # louder than the clip's room
    assert "is not heard" not in noise_words(above)
