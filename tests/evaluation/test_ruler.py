"""The ruler is in order: every proof below the attack in its norm."""

import pytest
from rosetta import rosetta

from robustaudio.audio.datasets import open_dataset
from robustaudio.certification.smoothing import Smoothing
from robustaudio.classifiers import checkpoints
from robustaudio.evaluation.batch import load_clips
from robustaudio.evaluation.engine import measure_clip
from robustaudio.evaluation.ruler import Measuring, measure_ruler
from robustaudio.evaluation.verify import Verifying, verify
from robustaudio.threats.norms import L2, LINF, MASKING


@pytest.mark.parametrize("name", checkpoints.names(task="digits"))
def test_the_ruler_is_in_order_for_every_classifier(name):
    classifier = checkpoints.load_classifier(name)
    waveform = load_clips(classifier, open_dataset("bundled-digits")).waveforms[7]
    shares = []
    ruler = measure_clip(
        measure_ruler,
        classifier,
        waveform,
        Measuring(Smoothing(n=200)),
        progress=lambda share, step=None: shares.append(share),
    )
    verified_db, attacked_db = ruler.level_db("verified"), ruler.level_db("attacked")
    assert attacked_db is not None
    assert verified_db is None or verified_db < attacked_db
    for norm in (L2, MASKING):
        level_db = ruler.level_db("verified", norm)
        at = measure_clip(verify, classifier, waveform, Verifying(norm, level_db, ruler.method))
        assert at.verified and at.largest_level_db == level_db
    assert shares == sorted(shares) and shares[-1] <= 1


def test_a_classifier_without_a_magnitude_has_no_masking_mark():
    case = rosetta(0)
    ruler = measure_clip(
        measure_ruler, case.classifier, case.x[0], Measuring(Smoothing(n=50, n0=10))
    )
    assert ruler.norms == (LINF, L2)
    assert ruler.level_db("verified", MASKING) is None
    for norm in (LINF, L2):
        true_db = norm.level_db(float(case.radius(norm)[0]), case.x[0])
        assert true_db - 0.1 < ruler.level_db("verified", norm) <= true_db
