"""Noise reduction takes noise and leaves tones."""

import torch

from robustaudio.perception.levels import snr_db
from robustaudio.representations.denoise import SpectralSubtraction

RATE = 22_050


def tone() -> torch.Tensor:
    time_s = torch.arange(RATE) / RATE
    return torch.stack([torch.sin(2 * torch.pi * f * time_s) for f in (440.0, 1_760.0)])


def test_noise_is_reduced_and_a_tone_is_not():
    clean, gate = tone(), SpectralSubtraction()
    noisy = clean + 0.1 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    gained = snr_db(gate(noisy) - clean, clean) - snr_db(noisy - clean, clean)
    assert (gained > 6).all()
    assert (snr_db(gate(clean) - clean, clean) > 30).all()


def test_shape_silence_and_gradient():
    gate = SpectralSubtraction()
    for length in (3_000, 44_100):
        x = torch.zeros(2, length)
        x[1, 1_000:2_000] = torch.randn(1_000)
        x.requires_grad_()
        cleaned = gate(x)
        assert cleaned.shape == x.shape and (cleaned[0].abs() < 1e-6).all()
        cleaned.square().sum().backward()
        assert x.grad.isfinite().all()
