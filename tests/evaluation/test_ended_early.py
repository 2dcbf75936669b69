"""Work that is told `Enough` gives what it has found so far, and no more than that."""

import json

import pytest
import torch

from robustaudio.attacks import PGD
from robustaudio.audio.clip import Clip
from robustaudio.audio.datasets import BUNDLED
from robustaudio.certification.smoothing import Smoothing, clopper_pearson_lower
from robustaudio.certification.verify import Verifier
from robustaudio.classifiers import checkpoints
from robustaudio.evaluation.attack import Plan
from robustaudio.evaluation.certify import Certifying, certify
from robustaudio.evaluation.engine import measure_clip
from robustaudio.evaluation.results import CertifiedClip, to_json
from robustaudio.evaluation.ruler import PARTS, Measuring, measure_ruler
from robustaudio.evaluation.targets import levels_by_target
from robustaudio.evaluation.verify import Verifying, verify
from robustaudio.progress import Enough, Watched
from robustaudio.threats.norms import LINF

VOTES = Smoothing(sigma=0.1, n0=20, n=400, chunk=20)
QUICK = PGD(steps=4)


@pytest.fixture(scope="module")
def classifier():
    return checkpoints.load_classifier("digits-cnn")


@pytest.fixture(scope="module")
def samples(classifier) -> torch.Tensor:
    return classifier.prepare(Clip.load(BUNDLED / "seven-slt.wav")).samples


def after(share: float):
    """Ends work when so much of it is done, and from then on."""

    def progress(done, step=None):
        if done >= share:
            raise Enough

    return progress


def certified(classifier, samples, share: float) -> CertifiedClip:
    return measure_clip(certify, classifier, samples, Certifying(VOTES), progress=after(share))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_certificate_is_that_of_the_votes_that_were_counted(classifier, samples, share):
    result = certified(classifier, samples, share)
    n = sum(result.counts.values())
    assert 0 < n == result.n < VOTES.n
    assert result.p_lower == clopper_pearson_lower(max(result.counts.values()), n, 0.001)
    assert result.radius <= result.largest_radius == VOTES.largest_radius_of(n)
    json.dumps(to_json(result))


def test_fewer_votes_show_less(classifier, samples):
    radii = [certified(classifier, samples, share).radius for share in (0.0, 0.3, 2.0)]
    assert radii == sorted(radii) and radii[0] < radii[-1]
    assert VOTES.largest_radius_of(5) == 0.0  # five votes certify nothing at this alpha


@pytest.mark.parametrize("share", [0.0, 0.3, 0.8])
def test_a_proof_so_far_is_a_proof(classifier, samples, share):
    verifier, x = Verifier(classifier), samples[None]
    label = verifier.predict(x)
    whole = verifier.largest_level(x, label)
    level = verifier.largest_level(x, label, progress=after(share))
    assert level.isfinite() and level <= whole
    assert verifier.verified_at(x, label, level, LINF).all()
    result = measure_clip(verify, classifier, samples, Verifying(LINF, -90), progress=after(share))
    assert result.largest_level_db == float(level)


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_targets_so_far_are_levels_that_were_found(classifier, samples, share):
    row = measure_clip(levels_by_target, classifier, samples, Plan(QUICK), progress=after(share))
    whole = measure_clip(levels_by_target, classifier, samples, Plan(QUICK))
    assert set(row.levels_db) == set(whole.levels_db) and row.queries < whole.queries
    found = [sum(level is not None for level in one.levels_db.values()) for one in (row, whole)]
    assert found[0] <= found[1]


@pytest.mark.parametrize(
    "share, ended", [(0.0, PARTS), (0.5, PARTS[1:]), (0.95, PARTS[2:]), (2.0, ())]
)
def test_a_ruler_names_the_parts_that_it_did_not_finish(classifier, samples, share, ended):
    result = measure_clip(
        measure_ruler, classifier, samples, Measuring(VOTES, QUICK), progress=after(share)
    )
    assert result.ended == ended
    assert (result.smoothed.n < VOTES.n) == bool(ended)
    json.dumps(to_json(result))


def test_what_is_watched_remembers_that_it_was_ended():
    watched = Watched(after(0.5))
    watched(0.4)
    assert not watched.ended
    with pytest.raises(Enough):
        watched(0.5)
    assert watched.ended
    Watched(None)(1.0)
