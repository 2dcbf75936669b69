"""Draws of an item are its own: the batch around it changes none of them."""

import pytest
import torch

from robustaudio.audio.draws import Generators, normal, uniform, whole_numbers


def sources(*seeds: int) -> Generators:
    return Generators(tuple(torch.Generator().manual_seed(seed) for seed in seeds))


@pytest.mark.parametrize("draw", [uniform, normal])
def test_an_item_draws_the_same_in_every_batch(draw):
    both = draw(torch.zeros(2, 5), sources(1, 2))
    assert torch.equal(both[1:], draw(torch.zeros(1, 5), sources(2)))
    assert torch.equal(both[0], draw(torch.zeros(5), torch.Generator().manual_seed(1)))


def test_sources_can_be_chosen_and_begun_anew():
    begun = sources(1, 2, 3)
    first = normal(torch.zeros(3, 4), begun)
    assert torch.equal(normal(torch.zeros(3, 4), begun.anew()), first)
    assert torch.equal(normal(torch.zeros(2, 4), begun.anew()[[2, 0]]), first[[2, 0]])
    assert len(begun) == 3 and begun.device == torch.device("cpu")


def test_whole_numbers_are_one_per_item_or_one_for_all():
    each = whole_numbers(2**62, 3, sources(1, 2, 1))
    assert each[0] == each[2] != each[1] and all(0 <= number < 2**62 for number in each)
    assert len({*whole_numbers(2**62, 3, torch.Generator().manual_seed(1))}) == 1
