"""What holds of every norm: one value by its name, levels that lie in the ranges offered."""

import copy
import pickle

import pytest
import torch

from robustaudio.threats.norms import LINF, NORMS, norm_named


@pytest.mark.parametrize("norm", NORMS.values())
def test_a_norm_is_one_value_wherever_it_went(norm):
    assert norm_named(norm.name) is norm and str(norm) == norm.name
    assert pickle.loads(pickle.dumps(norm)) is norm  # in another process, too
    assert copy.deepcopy(norm) is norm


@pytest.mark.parametrize("norm", NORMS.values())
def test_where_one_begins_lies_in_what_is_searched(norm):
    levels = norm.levels
    for level_db in (levels.attack, levels.start, levels.asking, levels.largest):
        assert levels.attacked[0] <= level_db <= levels.attacked[1]
    assert levels.proven[0] <= levels.proof <= levels.proven[1]
    for level_db in levels.proofs:
        assert levels.bisected[0] <= level_db <= levels.bisected[1]


@pytest.mark.parametrize("norm", NORMS.values())
def test_a_level_is_that_of_its_radius(norm):
    clean = torch.tensor([[0.5, -0.25], [0.1, 0.0]], dtype=torch.float64)
    radii = norm.epsilon(torch.tensor([-20.0, 6.0]), clean)
    assert norm.level_db(float(radii[0]), clean[0]) == pytest.approx(-20)
    assert norm.level_db(float(radii[1]), clean[1]) == pytest.approx(6)


def test_the_norm_of_the_peak_by_hand():
    assert LINF.epsilon(-20.0, torch.tensor([[0.5, -0.25]])).tolist() == pytest.approx([0.05])
    with pytest.raises(ValueError, match="no norm 'l7'; choose from linf, l2, masking"):
        norm_named("l7")
