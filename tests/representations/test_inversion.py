"""Back to sound: nothing changed is nothing changed, and what can be had is had."""

from itertools import islice

import pytest
import torch

from robustaudio.audio.datasets import open_dataset
from robustaudio.representations.inversion import inverse
from robustaudio.representations.spectral import Framing, Magnitude, Mel, MelScale
from robustaudio.representations.stage import sound_behind

FRAMINGS = {
    "hann": Framing(),
    "hamming": Framing(window="hamming"),
    "emphasised": Framing(window="hamming", pre_emphasis=0.97, unitary=True),
    "hann emphasised": Framing(pre_emphasis=0.97),
    "overlapping": Framing(n_fft=512, hop_length=128),
}


@pytest.fixture(scope="module")
def clips():
    """Two bundled spoken digits with digital silence around them, as a batch."""
    bundled = islice(open_dataset("bundled-digits").clips(), 2)
    return torch.stack([clip.fitted(8_000).samples for clip in bundled])


@pytest.mark.parametrize("kind", FRAMINGS)
def test_an_unchanged_spectrum_is_the_clean_clip_sample_for_sample(kind, clips):
    magnitude = Magnitude(FRAMINGS[kind])
    mel = Mel(MelScale(), magnitude.framing.n_fft)
    spectrum = magnitude(clips)
    assert torch.equal(magnitude.undo(clips, spectrum), clips)
    assert torch.equal(sound_behind([magnitude, mel], clips, mel(spectrum)), clips)


@pytest.mark.parametrize("gain", [0.0, 0.5, 0.99, 2.0])
@pytest.mark.parametrize("kind", FRAMINGS)
def test_the_magnitude_of_a_scaled_clip_gives_the_scaled_clip(kind, gain, clips):
    """Where frames see every sample; what the first ones lack takes time to die away when
    pre-emphasis is undone (0.97**1000 is 6e-14)."""
    magnitude = Magnitude(FRAMINGS[kind]).double()
    x = clips.double()
    sound = magnitude.undo(x, gain * magnitude(x))
    end = magnitude.framing.hop_length * (magnitude.framing.frames(8_000) - 1)
    inside = slice(1_000, end)
    assert (sound - gain * x)[:, inside].abs().max() < 1e-8


@pytest.mark.parametrize("kind", FRAMINGS)
def test_a_batch_is_its_clips_one_by_one(kind, clips):
    magnitude = Magnitude(FRAMINGS[kind])
    wanted = magnitude(clips) * torch.tensor([0.5, 1.5])[:, None, None]
    together = magnitude.undo(clips, wanted)
    for i in range(2):
        alone = magnitude.undo(clips[i : i + 1], wanted[i : i + 1])
        assert torch.allclose(together[i : i + 1], alone, atol=1e-5)


def test_a_negative_magnitude_counts_as_none(clips):
    magnitude = Magnitude(Framing())
    spectrum = magnitude(clips)
    none = torch.zeros_like(spectrum)
    sounds = [magnitude.undo(clips, wanted) for wanted in (none - 5, none)]
    assert torch.equal(*sounds)


@pytest.mark.parametrize("kind", FRAMINGS)
@pytest.mark.parametrize("share", [0.01, 0.1])
def test_a_small_change_is_better_met_than_by_doing_nothing(kind, share, clips):
    """The change of each value is random, so no sound has it exactly: frames overlap."""
    generator = torch.Generator().manual_seed(0)
    magnitude = Magnitude(FRAMINGS[kind])
    mel = Mel(MelScale(), magnitude.framing.n_fft)
    spectrum, energies = magnitude(clips), mel(magnitude(clips))
    factor = 1 + share * torch.randn(spectrum.shape, generator=generator)
    met = magnitude(magnitude.undo(clips, spectrum * factor))
    assert (met - spectrum * factor).norm() < 0.9 * (spectrum - spectrum * factor).norm()
    factor = 1 + share * torch.randn(energies.shape, generator=generator)
    met = mel(magnitude(sound_behind([magnitude, mel], clips, energies * factor)))
    assert (met - energies * factor).norm() < 0.9 * (energies - energies * factor).norm()


@pytest.mark.parametrize("kind", FRAMINGS)
def test_silence_can_be_asked_for_more_and_for_less(kind):
    x = torch.zeros(2, 4_000)
    x[1, 2_000:] = torch.randn(2_000, generator=torch.Generator().manual_seed(0))
    magnitude = Magnitude(FRAMINGS[kind])
    mel = Mel(MelScale(), magnitude.framing.n_fft)
    noise = torch.randn(mel(magnitude(x)).shape, generator=torch.Generator().manual_seed(1))
    for change in (noise, -noise.abs(), torch.zeros_like(noise)):
        sound = sound_behind([magnitude, mel], x, mel(magnitude(x)) + change)
        assert sound.isfinite().all()
    asked = magnitude(x) + 1
    met = magnitude(magnitude.undo(x, asked))
    assert (met - asked)[0].norm() < 0.8 * asked[0].norm()


def test_the_ends_that_a_window_barely_sees_do_not_blow_up():
    """Divided by a window of 2e-8, the compromise between frames would be a click."""
    generator = torch.Generator().manual_seed(0)
    x = 0.1 * torch.randn(1, 2_000, generator=generator)
    magnitude = Magnitude(Framing())
    spectrum = magnitude(x)
    factor = 1 + 0.1 * torch.randn(spectrum.shape, generator=generator)
    change = magnitude.undo(x, spectrum * factor) - x
    assert change[:, :20].abs().max() < 1 and change[:, 100:1_800].abs().max() < 0.1


def test_a_clip_of_one_frame_and_one_with_a_rest_no_frame_sees():
    magnitude = Magnitude(Framing())
    for length in (256, 256 + 159):
        x = torch.randn(1, length, generator=torch.Generator().manual_seed(0))
        sound = magnitude.undo(x, 2 * magnitude(x))
        assert torch.allclose(sound[:, 64:192], 2 * x[:, 64:192], atol=1e-4)
        assert torch.equal(sound[:, 256:], x[:, 256:])


@pytest.mark.parametrize("pre_emphasis", [0.0, 0.97])
def test_the_inverse_is_differentiable(pre_emphasis):
    framing = Framing(n_fft=16, hop_length=8, pre_emphasis=pre_emphasis)
    stage = Magnitude(framing).double()
    spectrum = stage.spectrum(torch.randn(2, 48, dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: inverse(stage, s, 48), spectrum)
