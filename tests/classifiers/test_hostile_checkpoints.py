"""Checkpoints from anybody: sizes are compared before memory is taken, numbers must be finite."""

import json
import struct
import time

import pytest
import torch
from limited import run_limited
from safetensors.torch import load_file, save_file

from robustaudio.classifiers import checkpoints
from robustaudio.classifiers.architecture import Architecture
from robustaudio.classifiers.networks import Cnn, Cnn2d, DeepCnn, Lstm
from robustaudio.classifiers.stages import LogMelStages
from robustaudio.classifiers.svm import Svm
from robustaudio.representations.spectral import Framing

LABELS = ("yes", "no", "maybe")
OWN = {
    "cnn": Architecture(LABELS, 8_000, 8_000, network=Cnn(width=8)),
    "thresholds": Architecture(
        LABELS, 8_000, 8_000, LogMelStages(n_mfcc=12), Cnn(width=8, thresholds=2)
    ),
    "cnn_2d": Architecture(LABELS, 8_000, 8_000, network=Cnn2d(width=4)),
    "deep_cnn": Architecture(LABELS, 8_000, 8_000, network=DeepCnn(width=8)),
    "lstm": Architecture(LABELS, 8_000, 8_000, network=Lstm(width=8)),
}
SVM = "instruments-svm"


@pytest.fixture
def saved(tmp_path):
    return save(tmp_path, "cnn")


def save(folder, kind):
    card = {"name": "mine", "task": "answers", "labels": list(LABELS)}
    return checkpoints.save_classifier(OWN[kind].build("mine"), OWN[kind], card, folder)


def changed(path, **changes):
    """The card with other fields, and the digest of the weights as they are."""
    card = json.loads(path.with_suffix(".json").read_text())
    card |= {"sha256": checkpoints.sha256(path)}
    for key, value in changes.items():
        holder, _, field = key.rpartition("__")
        place = card
        for part in filter(None, holder.split("__")):
            place = place[part]
        place[field] = value
    path.with_suffix(".json").write_text(json.dumps(card))
    return path


def refusal(path):
    started = time.monotonic()
    with pytest.raises(ValueError) as error:
        checkpoints.load_classifier(path)
    assert time.monotonic() - started < 10
    sentence = str(error.value)
    assert "\n" not in sentence and len(sentence) < 400 + len(str(path))
    return sentence


@pytest.mark.parametrize("kind", OWN)
def test_the_shapes_that_are_compared_are_those_of_the_network(kind, tmp_path):
    build = OWN[kind].build()
    assert OWN[kind].shapes() == {k: tuple(v.shape) for k, v in build.state_dict().items()}
    checkpoints.load_classifier(save(tmp_path, kind))


def test_so_are_those_of_a_support_vector_machine():
    architecture = checkpoints.read_card(SVM).architecture
    state = checkpoints.load_classifier(SVM).state_dict()
    assert isinstance(architecture.network, Svm)
    assert architecture.shapes() == {key: tuple(value.shape) for key, value in state.items()}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("kind", ["cnn", "deep_cnn", "lstm"])
def test_weights_that_are_not_finite_are_refused_by_their_name(kind, value, tmp_path):
    path = save(tmp_path, kind)
    tensors = load_file(path)
    for name in [name for name, tensor in tensors.items() if tensor.is_floating_point()]:
        bad = {key: tensor.clone() for key, tensor in tensors.items()}
        bad[name].view(-1)[-1] = value
        save_file(bad, path)
        sentence = refusal(changed(path))
        assert sentence == f"mine.safetensors holds NaN or infinite weights, in {name!r}."


def test_weights_whose_logits_overflow_are_refused(saved):
    tensors = {name: torch.full_like(tensor, 1e30) for name, tensor in load_file(saved).items()}
    save_file(tensors, saved)
    assert "holds weights that overflow" in refusal(changed(saved))


LIMITED = """
import sys, time
from robustaudio.classifiers import checkpoints
started = time.monotonic()
try:
    checkpoints.load_classifier(sys.argv[1])
except ValueError as error:
    print(time.monotonic() - started < 5, error)
"""


@pytest.mark.parametrize(
    "field, value",
    [
        ("width", 10**7), ("width", 10**9), ("thresholds", 1_000), ("length", 10**7),
        ("framing__hop_length", 1), ("network", "lstm"), ("n_mfcc", 12),
    ],
)  # fmt: skip
def test_a_giant_field_of_a_network_takes_no_memory(saved, field, value):
    path = changed(saved, **{f"architecture__{field}": value})
    told = run_limited(LIMITED, seconds=120, megabytes=300, arguments=(str(path),))
    assert told.startswith("True mine.safetensors does not hold the weights its card describes")


@pytest.mark.parametrize("field, value", [("vectors", 10**7), ("vectors", 10**9)])
def test_a_giant_field_of_a_machine_takes_no_memory(tmp_path, field, value):
    for suffix in (".safetensors", ".json"):
        source = checkpoints.CHECKPOINTS / f"{SVM}{suffix}"
        (tmp_path / source.name).write_bytes(source.read_bytes())
    path = changed(tmp_path / f"{SVM}.safetensors", **{f"architecture__{field}": value})
    told = run_limited(LIMITED, seconds=120, megabytes=300, arguments=(str(path),))
    assert "does not hold the weights its card describes" in told and told.startswith("True")


@pytest.mark.parametrize(
    "field, value",
    [
        ("labels", [1, 2, 3]), ("labels", "abc"), ("labels", []), ("sample_rate", "8000"),
        ("sample_rate", 8000.5), ("sample_rate", True), ("sample_rate", 0), ("length", -1),
        ("length", 10**12), ("width", "8"), ("width", 0), ("width", None), ("width", 10**400),
        ("thresholds", 10**8),
        ("floor", 0), ("floor", float("nan")), ("network", []), ("network", "mlp"),
        ("convolutions", [[5, 0]]), ("convolutions", [5]), ("convolutions", [[1, 1]] * 1000),
        ("convolutions", {}), ("framing", []), ("framing", {"n_fft": 10**9}), ("mel", None),
        ("framing__n_fft", "256"), ("framing__hop_length", 0), ("framing__window", "kaiser"),
        ("mel__n_mels", 10**8), ("mel__f_max", "4000"), ("unknown", 1),
    ],
)  # fmt: skip
def test_a_field_of_another_type_is_one_sentence(saved, field, value):
    sentence = refusal(changed(saved, **{f"architecture__{field}": value}))
    assert "is not a card that can be read" in sentence or "does not hold the weights" in sentence


@pytest.mark.parametrize(
    "key, value",
    [
        ("labels", [1, 2, 3]), ("labels", ["a", "\ud800"]), ("name", "\ud800"), ("task", 3),
        ("task", "x" * 5_000), ("about", ["\ud800"]), ("training", {"\ud800": 1}),
        ("architecture", "cnn"), ("architecture", None), ("architecture", []),
    ],
)  # fmt: skip
def test_so_is_one_of_the_card(saved, key, value):
    assert "is not a card that can be read" in refusal(changed(saved, **{key: value}))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "\ufeff{}", " " * 1_000_001])
def test_a_card_that_is_deep_or_long_is_one_sentence(saved, text):
    saved.with_suffix(".json").write_text(text, encoding="utf-8")
    assert "is not a card that can be read" in refusal(saved)


def header(path, told, data=b""):
    text = told if isinstance(told, bytes) else json.dumps(told).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


@pytest.mark.parametrize(
    "told",
    [
        b"", b"{", b"[]", b"[" * 100_000, b"\xff\xfe", {"a": 3}, {"a": {"shape": "x"}},
        {"a": {"dtype": "F32", "shape": [2**62, 2**62], "data_offsets": [0, 8]}},
        {"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 2**63]}},
        {str(n): {"dtype": "F32", "shape": [], "data_offsets": [0, 4]} for n in range(10_000)},
    ],
)  # fmt: skip
def test_a_header_that_lies_is_one_sentence(saved, told):
    header(saved, told, bytes(64))
    assert "does not hold the weights its card describes" in refusal(changed(saved))


def test_shapes_that_the_data_do_not_fill_are_refused(saved):
    shapes = OWN["cnn"].shapes()
    entry = {"dtype": "F32", "data_offsets": [0, 4]}
    header(saved, {name: {**entry, "shape": list(of)} for name, of in shapes.items()}, bytes(4))
    assert "does not hold the weights its card describes" in refusal(changed(saved))


def test_the_length_of_a_header_is_not_believed(saved):
    content = saved.read_bytes()
    for length in (0, 1, 2**40, 2**64 - 1):
        saved.write_bytes(struct.pack("<Q", length) + content[8:])
        assert "does not hold the weights its card describes" in refusal(changed(saved))


def test_a_file_that_is_far_too_large_is_not_read(saved):
    with saved.open("r+b") as file:
        file.truncate(2**40)  # a hole: it takes no disk
    assert "it is larger than such weights" in refusal(saved)


def test_frames_without_end_are_refused(saved):
    framing = vars(Framing(n_fft=16_384, hop_length=1))
    changed(saved, architecture__framing=framing, architecture__length=8_000 * 60)
    assert "samples in all, would be right" in refusal(saved)
