"""Randomized smoothing: the paper's numbers, abstention, bounded memory."""

import pytest
import torch
from scipy.special import ndtri
from scipy.stats import binomtest
from torch import nn

from robustaudio.certification.smoothing import Smoothing, clopper_pearson_lower, vote_obstacle


class Constant(nn.Module):
    """Always votes for class 2, and remembers the largest batch it saw."""

    largest = 0

    def forward(self, x):
        self.largest = max(self.largest, len(x))
        return torch.eye(4)[2].expand(len(x), 4)


class Coin(nn.Module):
    """Votes by the sign of the first sample: a fair coin under noise around 0."""

    def forward(self, x):
        return torch.stack([x[:, 0], -x[:, 0]], 1)


@pytest.mark.parametrize("n, radius", [(1_000, 2.46326), (10_000, 3.19858), (100_000, 3.81146)])
def test_the_radius_when_all_votes_agree(n, radius):
    """Cohen et al. 2019, Theorem 1: Phi^-1(alpha^(1/n)) at alpha = .001, by mpmath to 40 digits."""
    assert float(ndtri(clopper_pearson_lower(n, n, 0.001))) == pytest.approx(radius, abs=1e-5)


@pytest.mark.parametrize("successes, n, bound", [(990, 1000, 0.976036), (95, 100, 0.844633)])
def test_clopper_pearson(successes, n, bound):
    """Computed with statsmodels' proportion_confint(2 alpha, 'beta'), and by scipy's binomtest."""
    assert clopper_pearson_lower(successes, n, 0.001) == pytest.approx(bound, abs=1e-6)
    exact = binomtest(successes, n, alternative="greater").proportion_ci(0.999, "exact").low
    assert clopper_pearson_lower(successes, n, 0.001) == pytest.approx(exact, abs=1e-12)


def test_a_unanimous_vote_in_chunks():
    model, smoothing = Constant(), Smoothing(sigma=0.5, n0=10, n=1_000, chunk=64)
    done = []
    result = smoothing(
        model, torch.zeros(8), generator=torch.Generator().manual_seed(0), progress=done.append
    )
    assert result.certificate.prediction == 2
    assert result.certificate.radius == pytest.approx(0.5 * 2.4631, abs=1e-4)
    assert result.counts.tolist() == [0, 0, 1_000, 0]
    assert model.largest == 64
    assert done == sorted(done) and done[0] >= 0 and done[-1] < 1


def test_a_coin_makes_it_abstain():
    result = Smoothing(sigma=1.0)(
        Coin(), torch.zeros(3), generator=torch.Generator().manual_seed(0)
    )
    assert result.certificate.prediction is None and result.certificate.radius == 0


def test_equal_seeds_give_equal_votes():
    first, second = (
        Smoothing(sigma=1.0)(
            Coin(), torch.full((3,), 0.5), generator=torch.Generator().manual_seed(7)
        )
        for _ in range(2)
    )
    assert first.counts.tolist() == second.counts.tolist()


@pytest.mark.parametrize(
    "options, message",
    [({"sigma": 0.0}, "sigma 0.0"), ({"n": 0}, "n 0"), ({"alpha": 1.0}, "alpha 1.0"),
     ({"sigma": float("nan")}, "sigma nan"),
     ({"n": 8}, "no vote of 8 can win at alpha 0.001: n must be 10 or more"),
     ({"n": 4, "alpha": 0.05}, "no vote of 4 can win at alpha 0.05: n must be 5 or more"),
     ({"n": 1, "alpha": 0.5}, "n must be 2 or more")],
)  # fmt: skip
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Smoothing(**options)


class Turncoat(nn.Module):
    """Votes 0 for its first ten copies, 1 for all after them."""

    seen = 0

    def forward(self, x):
        votes = (torch.arange(self.seen, self.seen + len(x)) >= 10).long()
        self.seen += len(x)
        return torch.eye(2)[votes]


def test_the_class_is_chosen_on_other_draws_than_its_probability():
    rng = torch.Generator().manual_seed(0)
    result = Smoothing(n0=10, n=1_000)(Turncoat(), torch.zeros(3), generator=rng)
    assert result.counts_n0.tolist() == [10, 0] and result.counts.tolist() == [0, 1_000]
    assert result.certificate.prediction is None and result.p_lower == 0


def test_votes_that_are_not_numbers_certify_nothing():
    class Broken(nn.Module):
        def forward(self, x):
            return torch.full((len(x), 4), float("nan"))

    with pytest.raises(ValueError, match="NaN or infinite logits"):
        Smoothing()(Broken(), torch.zeros(3), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("alpha", [0.5, 0.25, 0.05, 0.01, 0.001, 1e-6, 0.3])
def test_the_least_n_is_the_first_whose_votes_can_win(alpha):
    """All n votes for one class, by the bound itself."""
    for n in range(1, 40):
        can_win = clopper_pearson_lower(n, n, alpha) > 0.5
        assert (vote_obstacle(n, alpha) is None) == can_win, n


def test_the_largest_radius_is_that_of_votes_that_all_agree():
    """2.463 sigma for a thousand votes at alpha 0.001 (Cohen et al. 2019, Theorem 1)."""
    smoothing = Smoothing(sigma=0.5, n0=10, n=1_000)
    result = smoothing(Constant(), torch.zeros(3), generator=torch.Generator().manual_seed(0))
    assert result.certificate.radius == smoothing.largest_radius
    assert smoothing.largest_radius == pytest.approx(0.5 * 2.46326, abs=1e-5)
