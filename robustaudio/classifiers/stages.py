"""The stages that classifiers begin with, as plain values: a waveform in, features out."""

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from torch import nn

from robustaudio.classifiers.part import Part
from robustaudio.classifiers.svm import Standardise
from robustaudio.columns import FLAG, Column, check_row, holds, number, one_of, whole
from robustaudio.representations import descriptors, spectral
from robustaudio.representations.denoise import SpectralSubtraction
from robustaudio.representations.framing import Framing
from robustaudio.representations.spectral import MelScale

MOST_CELLS = 50_000_000  # samples of all frames: 400 MB of spectra
STATISTICS = Column(
    "some of mean, std and delta, each once",
    lambda value: 0 < len(value) == len({*value}) and {*value} <= {"mean", "std", "delta"},
)


@dataclass(frozen=True)
class Stages(Part):
    """Named stages; `shape` is that of the features of one clip of `length` samples."""

    @abstractmethod
    def build(self, sample_rate: int) -> dict[str, nn.Module]: ...

    @abstractmethod
    def shape(self, length: int) -> tuple[int, ...]: ...

    @abstractmethod
    def check(self, sample_rate: int, length: int) -> None:
        """
        Raises:
            ValueError: for a rate or a length that they cannot take.
        """

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of what is trained in them, by name."""
        return {}


@dataclass(frozen=True)
class LogMelStages(Stages):
    """magnitude -> mel -> log_mel [-> mfcc].

    `compression` is log(E + floor) ("log") or log(1 + sqrt(E)/floor) ("root_log"); `n_mfcc` 0
    leaves the cepstrum out.
    """

    kind: ClassVar[str] = "log_mel"
    framing: Framing = field(default_factory=Framing)
    mel: MelScale = field(default_factory=MelScale)
    compression: Literal["log", "root_log"] = holds(one_of("log", "root_log"), "root_log")
    floor: float = holds(number(1e-30, 1e30), 0.1)
    n_mfcc: int = holds(whole(0, 1_024), 0)
    lifter: int = holds(whole(0, 10_000), 0)

    def build(self, sample_rate: int) -> dict[str, nn.Module]:
        compressed = spectral.LogMel if self.compression == "log" else spectral.RootLogMel
        stages: dict[str, nn.Module] = {
            "magnitude": spectral.Magnitude(self.framing),
            "mel": spectral.Mel(self.mel, self.framing.n_fft),
            "log_mel": compressed(self.floor),
        }
        if self.n_mfcc:
            stages["mfcc"] = spectral.Mfcc(self.mel.n_mels, self.n_mfcc, self.lifter)
        return stages

    def shape(self, length: int) -> tuple[int, ...]:
        return self.n_mfcc or self.mel.n_mels, self.framing.frames(length)

    def check(self, sample_rate: int, length: int) -> None:
        frames = self.framing.frames(length)
        if frames < 1 or frames * self.framing.n_fft > MOST_CELLS:
            raise ValueError(
                f"its architecture: {frames} frames of {self.framing.n_fft} samples; at least 1, "
                f"and at most {MOST_CELLS} samples in all, would be right."
            )


@dataclass(frozen=True)
class DescriptorStages(Stages):
    """[denoised ->] descriptors -> statistics -> standardised."""

    kind: ClassVar[str] = "descriptors"
    statistics: tuple[descriptors.Statistic, ...] = holds(STATISTICS, ("mean", "std", "delta"))
    denoise: bool = holds(FLAG, False)

    def build(self, sample_rate: int) -> dict[str, nn.Module]:
        before: dict[str, nn.Module] = {"denoised": SpectralSubtraction()} if self.denoise else {}
        return before | {
            "descriptors": descriptors.Descriptors(sample_rate),
            "statistics": descriptors.Statistics(self.statistics),
            "standardised": Standardise(self._features),
        }

    def shape(self, length: int) -> tuple[int, ...]:
        return (self._features,)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {f"standardised.{name}": (self._features,) for name in ("mean", "scale")}

    @property
    def _features(self) -> int:
        return len(self.statistics) * len(descriptors.DESCRIPTORS)

    def check(self, sample_rate: int, length: int) -> None:
        rate = {"sample_rate": whole(1_000, 192_000)}
        check_row({"sample_rate": sample_rate}, rate, "its architecture")
        framing = descriptors.FRAMING
        if (1 + length // framing.hop_length) * framing.n_fft > MOST_CELLS:
            raise ValueError(f"its architecture: length {length} is too much.")
