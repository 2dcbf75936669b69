"""Training a machine: groups stay together, noise falls where it should."""

import numpy as np
import pytest
import torch

from robustaudio.training.svm import NOISE, folds, under_noise


def test_folds_test_only_what_has_a_group_and_never_split_one():
    y, groups = np.arange(60) % 3, np.arange(40) // 2
    tested = []
    for train, test in folds(y, groups, 4, seed=0):
        assert not set(groups[test]) & set(groups[train[train < 40]])
        assert set(range(40, 60)) <= set(train) and (test < 40).all()
        tested += test.tolist()
    assert sorted(tested) == list(range(40))


def test_a_share_of_the_clips_gets_noise_of_its_own_sigma():
    x = torch.zeros(400, 500)
    noisy = under_noise(x, 0.3, torch.Generator().manual_seed(0))
    sigma = noisy.std(1)
    assert float((sigma > 0).double().mean()) == pytest.approx(0.3, abs=0.06)
    assert sigma.max() < 1.1 * NOISE and sigma[sigma > 0].min() < 0.1 * NOISE
    assert torch.equal(under_noise(x, 0.0, torch.Generator().manual_seed(0)), x)
