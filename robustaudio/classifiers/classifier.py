"""A classifier is a chain of named stages that can be split at any of them."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from itertools import chain
from numbers import Integral
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from robustaudio.audio.clip import Clip
from robustaudio.audio.datasets import Dataset
from robustaudio.audio.tensor_checks import check_tensor, kind, shape
from robustaudio.classifiers.evaluation_mode import in_evaluation_mode
from robustaudio.classifiers.gain import PEAK, Gain


class Classifier(nn.Module):
    """waveform -> ... named representations ... -> logits.

    `stages` maps the name of each representation to the module that makes it from the one
    before; `network` takes the last one to the logits. `sample_rate` is in Hz, `length` is the
    number of samples it looks at, `gain_policy` the gain that `prepare` gives to a clip.

    Raises:
        TypeError: for stages that are no mapping, a network that is no `nn.Sequential`, labels that
            are no names, a rate or length that is no whole number.
        ValueError: for a label that stands there twice, a rate or length below 1.
    """

    sha256 = ""  # of the checkpoint that the weights came from

    def __init__(
        self,
        stages: Mapping[str, nn.Module],
        network: nn.Sequential,
        *,
        labels: Sequence[str],
        sample_rate: int,
        length: int,
        name: str = "",
        gain_policy: Gain = PEAK,
    ):
        super().__init__()
        _check_parts(stages, network)
        _check_labels(labels)
        self.stages = nn.ModuleDict(OrderedDict(stages))
        self.network = network
        self.labels, self.name, self.gain_policy = tuple(labels), name, gain_policy
        self.sample_rate = _whole("sample_rate", sample_rate)
        self.length = _whole("length", length)

    @property
    def device(self) -> torch.device:
        """Device of the parameters (of the buffers, for a support vector machine)."""
        return next(chain(self.parameters(), self.buffers()), torch.empty(0)).device

    @property
    def representations(self) -> tuple[str, ...]:
        """Names at which the classifier can be split, from the waveform on."""
        return ("waveform", *self.stages)

    def split(self, representation: str) -> tuple[nn.Sequential, nn.Sequential]:
        """(front, back): waveform -> representation, representation -> logits.

        Raises:
            ValueError: if the classifier has no representation of that name.
        """
        if representation not in self.representations:
            raise ValueError(
                f"no representation {representation!r}; "
                f"choose from {', '.join(self.representations)}."
            )
        at = self.representations.index(representation)
        stages = list(self.stages.values())
        return nn.Sequential(*stages[:at]), nn.Sequential(*stages[at:], *_layers(self.network))

    def hidden_and_last(self, representation: str = "waveform") -> tuple[nn.Sequential, nn.Linear]:
        """The layers from a representation up to the last, and the last, which margins elide.

        Raises:
            ValueError: if the last layer is not dense.
        """
        *hidden, last = self.split(representation)[1]
        if not isinstance(last, nn.Linear):
            raise ValueError(f"the last layer must be dense, not {type(last).__name__}.")
        return nn.Sequential(*hidden), last

    def forward(self, waveform: Float[Tensor, "batch time"]) -> Float[Tensor, "batch label"]:
        """
        Raises:
            TypeError: for anything but a tensor.
            ValueError: for a tensor of other axes.
        """
        check_tensor("waveform", waveform)
        if waveform.ndim != 2:
            raise ValueError(
                f"waveform of shape {shape(waveform)} must have two axes, (batch, time): "
                f"{'waveform[None]' if waveform.ndim < 2 else 'waveform.flatten(1)'} has them."
            )
        return self.split("waveform")[1](waveform)

    def prepare(self, clip: Clip) -> Clip:
        """The clip as this classifier takes it: its rate, its length, and ONE gain.

        A clip that already carries a gain keeps it: it was prepared before, and normalising it
        again would change what was classified.
        """
        return self.gain_policy(clip.resampled(self.sample_rate).fitted(self.length))

    def load_clip(self, path: str | PathLike, *, within: Sequence[Path] | None = None) -> Clip:
        """The clip of a sound file, prepared; of a long recording only what is used is held.

        Raises:
            ValueError: as `Clip.load`.
        """
        return self.prepare(Clip.load(path, within=within, sample_rate=self.sample_rate))

    def prepare_dataset(
        self, dataset: Dataset
    ) -> tuple[Float[Tensor, "clip time"], Int[Tensor, " clip"]]:
        """Every clip of a data set, prepared, and the numbers of their labels.

        Raises:
            ValueError: naming all labels that are unknown here, or all files that cannot be read.
        """
        dataset.check_labels(self.labels, self.name or "the classifier")
        _, clips = dataset.read(self.prepare, sample_rate=self.sample_rate)
        labels = [self.label_index(str(clip.label)) for clip in clips]
        return torch.stack([clip.samples for clip in clips]), torch.tensor(labels)

    def label_index(self, label: str) -> int:
        """The number of a label.

        Raises:
            ValueError: if the classifier does not know it.
        """
        if label not in self.labels:
            raise ValueError(f"no label {label!r}; choose from {', '.join(self.labels)}.")
        return self.labels.index(label)

    def label_of(self, index: int | None) -> str | None:
        """The label of a number; None (no target, an abstention) stays None."""
        return None if index is None else self.labels[index]

    @in_evaluation_mode
    @torch.no_grad()
    def probabilities(self, waveform: Float[Tensor, "batch time"]) -> Float[Tensor, "batch label"]:
        """Softmax of the logits, in evaluation mode."""
        return self(waveform).softmax(-1)


def _check_parts(stages: Any, network: Any) -> None:
    if not isinstance(stages, Mapping):
        raise TypeError(
            f"stages is {kind(stages)}; it must map names to modules: {{}} or "
            "{'magnitude': Magnitude(framing)}."
        )
    if not isinstance(network, nn.Sequential):
        raise TypeError(
            f"network is {kind(network)}; it must be an nn.Sequential: nn.Sequential(network)."
        )


def _check_labels(labels: Any) -> None:
    if isinstance(labels, str) or not isinstance(labels, Sequence):
        raise TypeError(f"labels is {kind(labels)}; it must be a tuple of names, one per logit.")
    for label in labels:
        if not isinstance(label, str):
            raise TypeError(f"a label is {kind(label)}; labels are names: tuple(map(str, labels)).")
    twice = [label for label in labels if labels.count(label) > 1]
    if twice:
        raise ValueError(f"the label {twice[0]!r} stands there twice; each must be another name.")


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} is {kind(value)}; it must be a whole number.")
    if value < 1:
        raise ValueError(f"{name} {value} must be at least 1.")
    return int(value)


def _layers(module: nn.Module) -> list[nn.Module]:
    """The layers of a chain, chains inside it taken apart; one that does more stays whole."""
    plain = type(module).forward is nn.Sequential.forward and "forward" not in vars(module)
    if not isinstance(module, nn.Sequential) or not plain:
        return [module]
    hooks = module._forward_hooks, module._forward_pre_hooks
    if any((*hooks, module._backward_hooks, module._backward_pre_hooks)):
        return [module]
    return [layer for step in module for layer in _layers(step)]
