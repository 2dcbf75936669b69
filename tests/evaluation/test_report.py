"""The file of a perturbed clip is what was classified."""

import pytest

from robustaudio.audio.clip import Clip
from robustaudio.evaluation.engine import measure_clip
from robustaudio.evaluation.noise import AddingNoise, add_noise
from robustaudio.evaluation.report import save_perturbed


@pytest.mark.parametrize("subtype", ["FLOAT", "PCM_24"])
def test_the_file_of_a_loud_noise_is_what_was_classified(clips, classifier, tmp_path, subtype):
    clip = Clip(clips.waveforms[3], 8_000, "three", gain=1.0)
    for seed in range(3):
        result = measure_clip(add_noise, classifier, clip.samples, AddingNoise(0.3), seed=seed)
        path = tmp_path / "loud.wav"
        saved = save_perturbed(classifier, clip, result, path, subtype)
        assert saved["headroom_gain_db"] < 0
        again = classifier.prepare(Clip.load(path)).samples
        assert (again - result.perturbed).abs().max() <= (0 if subtype == "FLOAT" else 2.0**-21)
        assert saved["prediction_of_file"] == result.prediction
