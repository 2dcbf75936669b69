"""A model is asked, and answers with logits; where it cannot, one sentence says why."""

from typing import Any

from jaxtyping import Float, Int
from torch import Tensor, nn

from robustaudio.audio.tensor_checks import dtype, kind, shape
from robustaudio.classifiers.classifier import Classifier


def check_model(model: Any) -> None:
    """Refuses what is no module.

    Raises:
        TypeError: for a function, a class, or anything else.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"the model is {kind(model)}; it must be a torch.nn.Module.")


def answer(model: nn.Module, x: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch label"]:
    """The logits.

    Raises:
        ValueError: for a batch that the model cannot take, or an answer that is not one logit per
            item and label.
        TypeError: for an answer that is no tensor.
    """
    try:
        logits = model(x)
    except RuntimeError as error:
        if reason := _unlike(model, x):
            raise ValueError(reason) from error
        raise
    _check_logits(logits, x)
    return logits


def _check_logits(logits: Any, x: Tensor) -> None:
    if not isinstance(logits, Tensor):
        raise TypeError(
            f"the model answers with {kind(logits)}; logits must be a tensor (batch, label)."
        )
    if logits.ndim != 2:
        what = "an axis too many" if logits.ndim > 2 else "an axis too few"
        raise ValueError(
            f"the model's answer {shape(logits)} has {what}: logits are (batch, label)."
        )
    if len(logits) != len(x):
        raise ValueError(f"the model gives {len(logits)} answers to a batch of {len(x)}.")
    if logits.shape[1] < 2:
        raise ValueError(
            f"the model's answer {shape(logits)} has a single label; a decision needs two logits: "
            "torch.cat([-z, z], 1) of a logit z."
        )


def check_labels(name: str, labels: Int[Tensor, " batch"], count: int) -> None:
    """Refuses labels that a model of so many logits does not have.

    Raises:
        ValueError: for a label out of range.
    """
    for label in (int(labels.min()), int(labels.max())):
        if not 0 <= label < count:
            raise ValueError(
                f"{name} {label} is out of range: the model has the labels 0 to {count - 1}."
            )


def _unlike(model: nn.Module, x: Tensor) -> str | None:
    """What of a batch is unlike what the model takes, in one sentence; None if nothing is seen."""
    weights = [p for p in model.parameters() if p.is_floating_point()]
    devices = {t.device for t in (*weights, *model.buffers())}
    dtypes = {p.dtype for p in weights}
    if len(devices) == 1 and x.device not in devices:
        there = str(*devices)
        return f"x is on {x.device} and the model on {there}; x.to({there!r}) would be right."
    if len(dtypes) == 1 and x.dtype not in dtypes:
        there = dtype(weights[0])
        return f"x holds {dtype(x)} and the model {there}; x.to(torch.{there}) would be right."
    if isinstance(model, Classifier) and x.shape[1] != model.length:
        return (
            f"x has {x.shape[1]} samples and the classifier takes {model.length}: "
            "classifier.prepare(clip).samples[None]."
        )
    return None
