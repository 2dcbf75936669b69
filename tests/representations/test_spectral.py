"""Every stage against somebody else's: librosa, torchaudio, audio-classification-ibp (in numpy)."""

from math import cos, log, pi, sin

import librosa
import numpy as np
import pytest
import torch
from torch import nn
from torchaudio_safely import import_torchaudio

from robustaudio.audio.datasets import open_dataset
from robustaudio.representations.spectral import (
    Framing,
    LogMel,
    Magnitude,
    Mel,
    MelScale,
    Mfcc,
    RootLogMel,
    analysis_rows,
    framed,
    mel_filterbank,
)

RATE = 8_000
FRAMINGS = {
    "hann": Framing(),
    "hamming": Framing(n_fft=512, hop_length=128, window="hamming"),
    "odd hop": Framing(n_fft=200, hop_length=77),
    "emphasised": Framing(window="hamming", pre_emphasis=0.97, unitary=True),
}
SCALES = {
    "htk": MelScale(),
    "slaney": MelScale(scale="slaney"),
    "band": MelScale(n_mels=12, f_min=200, f_max=3_500),
    "slaney band": MelScale(n_mels=12, f_min=200, f_max=3_500, scale="slaney"),
}


@pytest.fixture(scope="module")
def clip():
    """A bundled spoken digit, as a batch of one."""
    return next(open_dataset("bundled-digits").clips()).samples[None]


def relative(ours, theirs):
    """Largest difference, relative to the largest value."""
    theirs = torch.as_tensor(theirs)
    assert ours.shape == theirs.shape
    return float((ours.double() - theirs.double()).abs().max() / theirs.abs().max())


def librosa_mel(scale, n_fft):
    return librosa.filters.mel(
        sr=scale.sample_rate,
        n_fft=n_fft,
        n_mels=scale.n_mels,
        fmin=scale.f_min,
        fmax=scale.f_max,
        htk=scale.scale == "htk",
        norm=None,
        dtype=np.float64,
    )


# --- somebody else's -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["hann", "hamming", "odd hop"])
def test_magnitude_is_librosas(kind, clip):
    framing = FRAMINGS[kind]
    spectrum = librosa.stft(
        clip[0].numpy(),
        n_fft=framing.n_fft,
        hop_length=framing.hop_length,
        window=framing.window,
        center=False,
    )
    assert spectrum.shape[1] == framing.frames(clip.shape[1])
    assert relative(Magnitude(framing)(clip)[0], np.abs(spectrum)) < 1e-5
    difference = Magnitude(framing).spectrum(clip)[0] - torch.from_numpy(spectrum)
    assert difference.abs().max() < 1e-5 * np.abs(spectrum).max()


def test_pre_emphasis_is_librosas(clip):
    plain, emphasised = Framing(), Framing(pre_emphasis=0.97)
    filtered = librosa.effects.preemphasis(clip.numpy(), coef=0.97, zi=np.zeros((1, 1)))
    theirs = Magnitude(plain)(torch.from_numpy(filtered).float())
    assert relative(Magnitude(emphasised)(clip), theirs) < 1e-5


@pytest.mark.parametrize("kind", SCALES)
def test_mel_filters_are_librosas(kind):
    scale = SCALES[kind]
    assert relative(mel_filterbank(scale, 256), librosa_mel(scale, 256)) < 1e-6


@pytest.mark.parametrize("kind", SCALES)
def test_mel_filters_are_torchaudios(kind):
    scale = SCALES[kind]
    theirs = import_torchaudio().functional.melscale_fbanks(
        129, scale.f_min, scale.f_max, scale.n_mels, scale.sample_rate, None, scale.scale
    )
    assert relative(mel_filterbank(scale, 256), theirs.T) < 1e-4


@pytest.mark.parametrize("kind", ["htk", "slaney"])
def test_mel_energies_are_torchaudios(kind, clip):
    scale = SCALES[kind]
    theirs = import_torchaudio().transforms.MelSpectrogram(
        RATE, n_fft=256, hop_length=160, n_mels=scale.n_mels, center=False, mel_scale=kind
    )
    ours = nn.Sequential(Magnitude(Framing()), Mel(scale, 256))
    assert relative(ours(clip), theirs(clip)) < 1e-4


def test_mel_energies_are_librosas(clip):
    frames = {"n_fft": 256, "hop_length": 160, "center": False}
    theirs = librosa.feature.melspectrogram(
        y=clip.numpy(), sr=RATE, n_mels=24, htk=True, norm=None, **frames
    )
    ours = nn.Sequential(Magnitude(Framing()), Mel(MelScale(), 256))
    assert relative(ours(clip), theirs) < 1e-5


def test_the_dct_is_torchaudios():
    theirs = import_torchaudio().functional.create_dct(13, 24, norm="ortho").T
    assert relative(Mfcc(24, 13).weight, theirs) < 1e-5


def test_mfcc_are_torchaudios(clip):
    """Its log_mels adds 1e-6, as a LogMel(1e-6) does."""
    theirs = import_torchaudio().transforms.MFCC(
        RATE,
        n_mfcc=13,
        log_mels=True,
        melkwargs={"n_fft": 256, "hop_length": 160, "n_mels": 24, "center": False},
    )
    stages = nn.Sequential(Magnitude(Framing()), Mel(MelScale(), 256), LogMel(1e-6), Mfcc(24, 13))
    assert relative(stages(clip), theirs(clip)) < 1e-4


# --- by hand -------------------------------------------------------------------------------------


def published_front_end(samples, floor):
    """The front end of the project this one grew from, step by step (a periodic Hamming window)."""
    frame, step, bands, lifter = 256, 160, 16, 22
    emphasised = np.append(samples[0], samples[1:] - 0.97 * samples[:-1])
    n = np.arange(frame)
    hamming = 0.54 - 0.46 * np.cos(2 * pi * n / frame)
    dft = np.exp(-2j * pi * np.outer(np.arange(frame // 2 + 1), n) / frame) / np.sqrt(frame)
    mel = 2595 * np.log10(1 + RATE / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, mel, bands + 2) / 2595) - 1)
    hertz = np.arange(frame // 2 + 1) * RATE / frame
    filters = np.array(
        [np.interp(hertz, edges[b : b + 3], [0, 1, 0], left=0, right=0) for b in range(bands)]
    )
    cepstra = []
    for start in range(0, len(samples) - frame + 1, step):
        spectrum = dft @ (emphasised[start : start + frame] * hamming)
        power = spectrum.real**2 + spectrum.imag**2
        logs = np.log(filters @ power + floor)
        row = []
        for k in range(bands):
            scale = (1 / bands) ** 0.5 if k == 0 else (2 / bands) ** 0.5
            total = sum(logs[m] * cos(pi * k * (m + 0.5) / bands) for m in range(bands))
            row.append((1 + lifter / 2 * sin(pi * k / lifter)) * scale * total)
        cepstra.append(row)
    return np.array(cepstra).T


@pytest.mark.parametrize("gain, floor", [(1, 1e-4), (1, 1e-10), (32_767, 1e-10)])
def test_the_front_end_of_audio_classification_ibp(gain, floor, clip):
    stages = nn.Sequential(
        Magnitude(FRAMINGS["emphasised"]),
        Mel(MelScale(n_mels=16), 256),
        LogMel(floor),
        Mfcc(16, 16, lifter=22),
    ).double()
    scaled = gain * clip.double() / clip.abs().max()
    assert relative(stages(scaled)[0], published_front_end(scaled[0].numpy(), floor)) < 1e-5
    assert (
        relative(stages.float()(scaled.float())[0], published_front_end(scaled[0].numpy(), floor))
        < 1e-4
    )


@pytest.mark.parametrize(
    "scale, f_max",
    [("htk", 700 * (10 ** (2 * 999.98554 / 2595) - 1)), ("slaney", 1000 * 6.4 ** (15 / 27))],
)
def test_one_band_between_0_and_twice_the_mel_of_1_khz_peaks_at_1_khz(scale, f_max):
    """librosa's tests: 1 kHz is 999.98554 mel (HTK) and 15 (Slaney: 3 per 200 Hz, 27 per 6.4)."""
    (band,) = mel_filterbank(MelScale(16_000, 1, 0.0, f_max, scale), 16_000)  # 1 Hz a bin
    assert int(band.argmax()) == 1_000
    assert float(band[1_000]) == pytest.approx(1, abs=1e-6)
    assert float(band[500]) == pytest.approx(0.5, abs=1e-6)


def test_numbers_by_heart():
    """A tone of amplitude A on a bin: |X_k| is A/2 times the sum of the window (Hann: n_fft/2)."""
    tone = 0.6 * torch.cos(2 * pi * 32 * torch.arange(256, dtype=torch.float64) / 256)[None]
    magnitude = Magnitude(Framing()).double()(tone)[0, :, 0]
    assert magnitude[31:34].tolist() == pytest.approx([19.2, 38.4, 19.2], rel=1e-6)
    assert float(magnitude[34:].max()) < 1e-5
    assert RootLogMel(0.1)(torch.tensor([[[0.04]]])).item() == pytest.approx(log(3))
    logs = LogMel(0.5)(torch.tensor([[[0.5], [-7.0]]])).flatten().tolist()
    assert logs == pytest.approx([0, log(0.5)], abs=1e-7)
    assert [Framing().frames(length) for length in (255, 256, 415, 416, 8_000)] == [0, 1, 1, 2, 49]


@pytest.mark.parametrize("kind", FRAMINGS)
def test_the_rows_are_the_transform(kind):
    framing = FRAMINGS[kind]
    x = torch.randn(2, 1_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    spectrum = Magnitude(framing).double().spectrum(x)
    real, imaginary = torch.einsum("ckt,bft->cbkf", analysis_rows(framing), framed(x, framing))
    assert spectrum.shape == (2, framing.n_fft // 2 + 1, framing.frames(1_000))
    assert (torch.complex(real, imaginary) - spectrum).abs().max() < 1e-10


def test_bands_too_narrow_for_the_frame_are_refused():
    with pytest.raises(ValueError, match=r"mel bands \[0.*\] hold no bin of a 64-sample frame"):
        mel_filterbank(MelScale(n_mels=40), 64)


# --- properties ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FRAMINGS)
def test_a_batch_is_its_clips_one_by_one(kind):
    x = torch.randn(5, 2_000, generator=torch.Generator().manual_seed(0))
    framing = FRAMINGS[kind]
    mel = Mel(MelScale(n_mels=8), framing.n_fft)
    stages = nn.Sequential(Magnitude(framing), mel, LogMel(1e-4), Mfcc(8, 8, 22))
    together, alone = stages(x), torch.cat([stages(row[None]) for row in x])
    assert torch.allclose(together, alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["hann", "emphasised"])
@pytest.mark.parametrize("last", [LogMel(1e-10), RootLogMel(1e-3)], ids=["log", "root"])
def test_gradients_are_finite_at_digital_silence(kind, last):
    x = torch.zeros(2, 2_000)
    x[1, 1_000:] = torch.randn(1_000, generator=torch.Generator().manual_seed(0))
    x.requires_grad_()
    stages = nn.Sequential(Magnitude(FRAMINGS[kind]), Mel(MelScale(), 256), last)
    values = stages(x)
    (gradient,) = torch.autograd.grad(values.sum(), x)
    assert values.isfinite().all() and gradient.isfinite().all()
    assert gradient[1].abs().max() > 0
    assert stages[0](x)[0].max() < 1e-9  # what keeps the gradient finite is no sound


@pytest.mark.parametrize("stage", ["magnitude", "mel", "log", "root", "mfcc"])
def test_gradients_are_those_of_finite_differences(stage):
    framing = Framing(n_fft=32, hop_length=20, pre_emphasis=0.97)
    magnitude, mel = Magnitude(framing), Mel(MelScale(n_mels=4), 32)
    stages = {
        "magnitude": [magnitude],
        "mel": [magnitude, mel],
        "log": [magnitude, mel, LogMel(1e-3)],
        "root": [magnitude, mel, RootLogMel(0.1)],
        "mfcc": [magnitude, mel, LogMel(1e-3), Mfcc(4, 4, 22)],
    }[stage]
    x = torch.randn(2, 72, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.autograd.gradcheck(nn.Sequential(*stages).double(), x.requires_grad_())


@pytest.mark.parametrize("length", [15, 16])
def test_the_gradient_of_the_transform_is_that_of_rfft(length):
    framing = Framing(n_fft=length, hop_length=4)
    stage, weight = Magnitude(framing).double(), torch.randn(2, length // 2 + 1, 7).cdouble()
    waveform = torch.randn(2, length + 24, dtype=torch.float64, requires_grad=True)

    def gradient(spectrum):
        (found,) = torch.autograd.grad((spectrum * weight).real.sum(), waveform)
        return found

    frames = waveform.unfold(-1, length, 4) * stage.window
    by_torch = gradient(torch.fft.rfft(frames).transpose(1, 2))
    assert torch.allclose(gradient(stage.spectrum(waveform)), by_torch, atol=1e-12)
