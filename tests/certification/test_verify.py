"""Whole networks: no attack inside a certificate, and the largest level is just that."""

from math import inf

import pytest
import torch
from torch import nn
from torch.nn.utils.prune import random_unstructured

from robustaudio.attacks import PGD
from robustaudio.audio.datasets import open_dataset
from robustaudio.certification.interval import UnsupportedLayer
from robustaudio.certification.verify import MARGIN, METHODS, Verifier, proof_obstacle
from robustaudio.classifiers import checkpoints
from robustaudio.classifiers.architecture import Architecture
from robustaudio.classifiers.classifier import Classifier
from robustaudio.classifiers.networks import Cnn, Network
from robustaudio.classifiers.stages import LogMelStages
from robustaudio.evaluation.batch import load_clips
from robustaudio.evaluation.engine import measure_clip
from robustaudio.evaluation.verify import Verifying, verify
from robustaudio.representations.spectral import Framing, LogMel, Magnitude, Mel, MelScale
from robustaudio.threats.criterion import Misclassification
from robustaudio.threats.norms import L2, LINF, MASKING
from robustaudio.threats.threat_model import ThreatModel

NAMES = checkpoints.names(task="digits")


def small(network: str) -> torch.nn.Module:
    torch.manual_seed(0)
    cepstrum = {"n_mfcc": 8, "lifter": 22, "compression": "log", "floor": 1e-2}
    stages = LogMelStages(
        Framing(n_fft=128, hop_length=80, unitary=True, pre_emphasis=0.9), MelScale(n_mels=8),
        **(cepstrum if network == "lstm" else {}),
    )  # fmt: skip
    kind = Network.of_kind(network)
    return Architecture(tuple("abc"), 8_000, 2_000, stages, kind(width=8)).build().eval()


def linf(epsilon: list[float], representation: str = "waveform") -> ThreatModel:
    return ThreatModel(LINF, torch.tensor(epsilon, dtype=torch.float64), representation)


@pytest.fixture(scope="module", params=NAMES)
def shipped(request):
    classifier = checkpoints.load_classifier(request.param)
    return classifier, load_clips(classifier, open_dataset("bundled-digits"))


@pytest.mark.parametrize("norm", [LINF, L2, MASKING])
def test_pgd_finds_nothing_inside_the_largest_verified_set(shipped, norm):
    """The worst bug this project can have: a slice here, all clips in benchmarks/soundness.py.

    The attack has the larger level of the two methods, whose set holds the other's.
    """
    classifier, clips = shipped
    waveforms, levels = clips.waveforms[:3], {}
    for method in METHODS:
        verifier = Verifier(classifier, method=method)
        label = verifier.predict(waveforms)
        levels[method] = verifier.largest_level(waveforms, label, norm)
    assert (levels["crown"] >= levels["interval"]).all()
    level = levels["crown"]
    proven = level > -inf
    if not proven.any():
        pytest.skip(f"{classifier.name} has no proof on the bundled clips")
    x, label = waveforms[proven].double(), label[proven]
    threat = verifier.threat_at(x, level[proven], norm)
    result = PGD(steps=10, restarts=2, step_size=0.3)(
        verifier.classifier, x, Misclassification(label), threat,
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    assert not result.is_adversarial.any()
    assert verifier.verify(x, label, threat).verified.all()


@pytest.mark.parametrize("norm", [LINF, L2])
@pytest.mark.parametrize("network", ["cnn", "deep_cnn", "lstm"])
def test_margins_and_logits_hold_for_every_sampled_point(network, norm):
    classifier = small(network)
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(2, 2_000, generator=generator, dtype=torch.float64) * 2 - 1
    verifier = Verifier(classifier)
    label = verifier.predict(x)
    epsilon = torch.tensor([1e-3, 1e-2], dtype=torch.float64)
    threat = ThreatModel(norm, epsilon, bounds=(-inf, inf))
    margins, bounds = verifier.verify(x, label, threat).margins, verifier.logits(x, threat)
    exact = classifier.double()
    for _ in range(30):
        logits = exact(threat.sample(x, generator)).detach()
        found = logits.gather(1, label[:, None]) - logits
        assert (found >= margins - 1e-9).all()
        assert (logits >= bounds.lower - 1e-9).all()
        assert (logits <= bounds.upper + 1e-9).all()


@pytest.mark.parametrize("representation", ["magnitude", "mel", "log_mel"])
def test_a_ball_at_a_representation_is_verified_from_there(representation):
    classifier = small("cnn")
    x = torch.rand(1, 2_000, generator=torch.Generator().manual_seed(0)) * 2 - 1
    verifier = Verifier(classifier, representation)
    label = verifier.predict(x)
    near, far = (verifier.verify(x, label, linf([e], representation)) for e in (1e-9, 1e3))
    assert near.verified.all() and not far.verified.any()
    assert near.certificate().representation == representation
    assert far.certificate() is None


def test_the_largest_level_is_the_last_that_verifies():
    classifier = checkpoints.load_classifier("digits-cnn-ibp")
    clips = load_clips(classifier, open_dataset("bundled-digits"))
    verifier = Verifier(classifier)
    label = verifier.predict(clips.waveforms)
    level = verifier.largest_level(clips.waveforms, label)
    assert verifier.verified_at(clips.waveforms, label, level, LINF).all()
    assert not verifier.verified_at(clips.waveforms, label, level + 0.08, LINF).any()


def test_a_wrong_label_is_never_verified():
    classifier = checkpoints.load_classifier("digits-cnn-ibp")
    clips = load_clips(classifier, open_dataset("bundled-digits"))
    verifier = Verifier(classifier)
    wrong = (verifier.predict(clips.waveforms) + 1) % 10
    assert not verifier.verify(clips.waveforms, wrong, linf([0.0] * len(wrong))).verified.any()
    assert (verifier.largest_level(clips.waveforms, wrong) == -inf).all()


def test_the_margin_covers_the_rounding_of_float32_logits(shipped):
    classifier, clips = shipped
    single = classifier(clips.waveforms).double()
    exact = Verifier(classifier)
    double = exact.last(exact.hidden(exact.front(clips.waveforms.double())))
    assert (single - double).abs().max() < MARGIN


def test_a_classifier_in_training_mode_is_verified_in_evaluation_mode():
    verifier = Verifier(small("deep_cnn").train())
    x = torch.rand(1, 2_000, generator=torch.Generator().manual_seed(0)) * 2 - 1
    alone = verifier.verify(x, verifier.predict(x), linf([1e-6])).margins
    pair = torch.cat([x, -x])
    beside = verifier.verify(pair, verifier.predict(pair), linf([1e-6, 1e-6])).margins
    torch.testing.assert_close(beside[:1], alone)


@pytest.mark.parametrize("representation", ["waveform", "magnitude", "log_mel"])
def test_every_item_has_its_own_ball(representation):
    """As many items as bands: a radius must not slip into the wrong dimension."""
    verifier = Verifier(small("cnn"), representation)
    x = torch.rand(8, 2_000, generator=torch.Generator().manual_seed(0)) * 2 - 1
    label, epsilon = verifier.predict(x), torch.logspace(-6, -1, 8).tolist()
    together = verifier.verify(x, label, linf(epsilon, representation)).margins
    for i in range(8):
        threat = linf([epsilon[i]], representation)
        alone = verifier.verify(x[i : i + 1], label[i : i + 1], threat).margins
        torch.testing.assert_close(together[i], alone[0])


def test_a_level_belongs_to_the_waveform():
    verifier = Verifier(small("cnn"), "mel")
    x = torch.rand(1, 2_000)
    with pytest.raises(ValueError, match="a level in dB is one of the waveform, not of mel"):
        verifier.largest_level(x, verifier.predict(x))


def test_a_network_that_does_not_end_in_a_dense_layer_is_refused():
    classifier = small("cnn")
    classifier.network.append(torch.nn.ReLU())
    with pytest.raises(UnsupportedLayer, match="the last layer must be dense, not ReLU"):
        Verifier(classifier)


@pytest.mark.parametrize("name", checkpoints.names())
@pytest.mark.parametrize("method", METHODS)
def test_whether_a_shipped_classifier_can_be_proven_is_known_beforehand(name, method):
    classifier = checkpoints.load_classifier(name)
    reason = proof_obstacle(classifier, method)
    if "svm" in name:
        assert reason == (
            f"no proof for {name}: the last layer must be dense, not a support vector machine. "
            "Randomized smoothing works for it (certify)."
        )
        with pytest.raises(UnsupportedLayer, match="not a support vector machine"):
            Verifier(classifier, method=method)
    else:
        assert reason is None
        Verifier(classifier, method=method)


def with_layer(*layers: nn.Module, stages: tuple[str, ...] = ("magnitude", "mel", "log_mel")):
    """A classifier of 24 bands and 30 frames with some layers between convolution and dense."""
    framing = Framing(n_fft=256, hop_length=128)
    every = {"magnitude": Magnitude(framing), "mel": Mel(MelScale(n_mels=24), 256)}
    every["log_mel"] = LogMel(0.1)
    torch.manual_seed(0)
    size = nn.Sequential(*layers)(torch.zeros(1, 16, 30)).numel()
    body = [nn.Conv1d(24, 16, 3, 2), nn.ReLU(), *layers, nn.Flatten(), nn.Linear(size, 10)]
    return Classifier(
        {name: every[name] for name in stages}, nn.Sequential(*body),
        labels=tuple("0123456789"), sample_rate=8_000, length=8_000, name="mine",
    ).eval()  # fmt: skip


PLAIN = {
    "Identity": [nn.Identity()],
    "LeakyReLU": [nn.LeakyReLU()],
    "Tanh": [nn.Tanh()],
    "MaxPool1d": [nn.MaxPool1d(2)],
    "AvgPool1d": [nn.AvgPool1d(2)],
    "GELU": [nn.GELU()],
    "a block in two dimensions": [
        nn.Unflatten(1, (1, 16)), nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2),
        nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d((2, 1)),
    ],
    "a chain inside": [nn.Sequential(nn.Conv1d(16, 8, 3), nn.SiLU())],
}  # fmt: skip


@pytest.mark.parametrize("kind", PLAIN)
@pytest.mark.parametrize("method", METHODS)
def test_layers_that_every_audio_network_has_are_verified(kind, method):
    """PGD finds nothing inside the largest level, and crown is never looser."""
    classifier = with_layer(*PLAIN[kind])
    x = torch.rand(2, 8_000, generator=torch.Generator().manual_seed(0)) - 0.5
    verifier = Verifier(classifier, method=method)
    label = verifier.predict(x)
    level = verifier.largest_level(x, label)
    assert (level > -160).all()
    assert (level >= Verifier(classifier).largest_level(x, label) - 1e-9).all()
    exact, threat = verifier.classifier, verifier.threat_at(x, level, LINF)
    attack = PGD(steps=10, restarts=2)
    rng = torch.Generator().manual_seed(0)
    found = attack(exact, x.double(), Misclassification(label), threat, generator=rng)
    assert not found.is_adversarial.any()


FRONT = ("magnitude", "mel", "log_mel")
SMOOTHING = "Randomized smoothing works for it (certify)."


@pytest.mark.parametrize(
    "layers, stages, method, norm, reason",
    [
        ([nn.LayerNorm(30)], FRONT, "interval", LINF,
         f"no interval rule for LayerNorm. {SMOOTHING}"),
        ([nn.LayerNorm(30)], FRONT, "crown", LINF,
         f"no interval rule for LayerNorm. {SMOOTHING}"),
        ([nn.Sequential(nn.Tanh(), nn.Softmax(1))], FRONT, "interval", LINF,
         f"no interval rule for Softmax. {SMOOTHING}"),
        ([nn.Conv1d(16, 16, 3, padding="same")], FRONT, "crown", LINF,
         "no backward rule for a Conv1d whose padding is not of zeros. Interval bounds work for "
         "it."),
        ([nn.ELU(-1.0)], FRONT, "interval", LINF,
         f"ELU with an alpha of -1.0 falls before it rises. {SMOOTHING}"),
        ([], (), "interval", MASKING,
         "the masking set needs a classifier that starts with a magnitude spectrogram. The norms "
         "linf and l2 work for it."),
    ],
)  # fmt: skip
def test_what_keeps_a_classifier_from_being_verified(layers, stages, method, norm, reason):
    classifier = with_layer(*layers, stages=stages)
    assert proof_obstacle(classifier, method, norm) == f"no proof for mine: {reason}"


def test_a_classifier_is_asked_before_anything_is_computed(monkeypatch):
    classifier = with_layer(nn.LayerNorm(30))
    monkeypatch.setattr(Classifier, "forward", lambda *_: pytest.fail("it was run"))
    with pytest.raises(UnsupportedLayer, match="no proof for mine: no interval rule for LayerNorm"):
        measure_clip(verify, classifier, torch.zeros(8_000), Verifying(LINF, -60.0))


def dense(*layers: nn.Module) -> Classifier:
    """Three labels behind some layers of 8 numbers."""
    torch.manual_seed(0)
    net = nn.Sequential(*layers, nn.Linear(8, 3))
    return Classifier({}, net, labels=("a", "b", "c"), sample_rate=8, length=8).eval()


class Steep(nn.ReLU):
    def forward(self, input):
        return 50 * super().forward(input)


class Louder(Classifier):
    def forward(self, waveform):
        return super().forward(2 * waveform)


@pytest.mark.parametrize("method", METHODS)
def test_what_computes_something_else_than_its_kind_is_not_proven(method):
    """Bounded by the rule of its kind, a perturbation within the proven level broke the proof."""
    hooked, replaced = nn.Identity(), dense(nn.ReLU())
    hooked.register_forward_hook(lambda module, inputs, output: 50 * output)
    replaced.network[-1].forward = lambda x: -x[:, :3]
    for classifier, words in [
        (dense(nn.Linear(8, 8), Steep()), "Steep has a forward of its own"),
        (dense(nn.Linear(8, 8), hooked), "Identity has hooks"),
        (dense(random_unstructured(nn.Linear(8, 8), "weight", 0.5)), "prune.remove"),
        (replaced, "the forward of Linear was replaced"),
        (Louder({}, dense().network, labels=tuple("abc"), sample_rate=8, length=8), "Louder has"),
    ]:
        assert words in (proof_obstacle(classifier, method) or "")
        with pytest.raises(UnsupportedLayer, match=words):
            Verifier(classifier, method=method)


@pytest.mark.parametrize("method", METHODS)
def test_a_chain_inside_a_chain_is_one_chain(method):
    """The same layers, nested: the same bounds, the last layer found inside."""
    flat = dense(nn.Linear(8, 8), nn.ReLU())
    one, two, last = flat.network
    network = nn.Sequential(nn.Sequential(one), nn.Sequential(two, nn.Sequential(last)))
    nested = Classifier({}, network, labels=flat.labels, sample_rate=8, length=8).eval()
    x = torch.rand(2, 8) - 0.5
    torch.testing.assert_close(nested(x), flat(x))
    label = Verifier(flat).predict(x)
    levels = [Verifier(c, method=method).largest_level(x, label) for c in (flat, nested)]
    torch.testing.assert_close(*levels)


def test_a_network_with_a_forward_of_its_own_is_asked_as_a_whole():
    class Negative(nn.Sequential):
        def forward(self, input):
            return -super().forward(input)

    network = Negative(nn.Linear(8, 3))
    classifier = Classifier({}, network, labels=tuple("abc"), sample_rate=8, length=8)
    x = torch.rand(2, 8)
    torch.testing.assert_close(classifier(x), network(x))
    assert "the last layer must be dense, not Negative" in (proof_obstacle(classifier) or "")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("representation", ["waveform", "magnitude", "mel", "log_mel", "mfcc"])
@pytest.mark.parametrize("norm", [LINF, L2, MASKING])
def test_the_question_foretells_what_the_proof_would_say(method, representation, norm):
    classifier = Architecture(
        tuple("ab"), 8_000, 8_000, LogMelStages(n_mfcc=8), Cnn(width=4)
    ).build().eval()  # fmt: skip
    x = torch.rand(1, 8_000, generator=torch.Generator().manual_seed(0)) * 2 - 1
    reason = proof_obstacle(classifier, method, norm, representation)
    try:
        verifier = Verifier(classifier, representation, method)
        threat = ThreatModel(norm, torch.tensor([1e-6]), representation)
        if representation == "waveform":
            threat = verifier.threat_at(x, -120.0, norm)
        verifier.verify(x, verifier.predict(x), threat)
        possible = True
    except (UnsupportedLayer, ValueError):
        possible = False
    assert possible == (reason is None)


def test_a_classifier_in_training_mode_is_asked_as_in_evaluation_mode():
    classifier = dense(nn.Linear(8, 8), nn.Dropout()).train()
    assert proof_obstacle(classifier) is None
    assert all(module.training for module in classifier.modules())


def test_a_classifier_that_cannot_be_copied_says_so():
    classifier = dense(nn.Linear(8, 8))
    classifier.network[0].scaled = 2 * classifier.network[0].weight
    with pytest.raises(ValueError, match="cannot be copied"):
        Verifier(classifier)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("count", [3, 4])
def test_a_dense_layer_over_rows_has_each_items_own_radius(method, count):
    """4 items of 4 rows: the radius of an item was taken for that of a row; 3 items crashed."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Flatten(), nn.Linear(20, 3))
    stages = {"rows": nn.Unflatten(1, (4, 6))}
    classifier = Classifier(stages, net, labels=tuple("abc"), sample_rate=24, length=24)
    verifier = Verifier(classifier, "rows", method)
    x = torch.rand(count, 24) - 0.5
    threat = linf([0.3, 0.0, 0.1, 0.01][:count], "rows")
    bounds, rows = verifier.logits(x, threat), verifier.front(x.double())
    for _ in range(100):
        sign = torch.randn_like(rows).sign()
        logits = verifier.last(verifier.hidden(rows + threat.epsilon[:, None, None] * sign))
        assert (logits >= bounds.lower - 1e-12).all() and (logits <= bounds.upper + 1e-12).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_stage_without_layers_is_the_identity(method):
    stages, plain = {"as it is": nn.Sequential()}, dense(nn.Linear(8, 8), nn.ReLU())
    classifier = Classifier(stages, plain.network, labels=plain.labels, sample_rate=8, length=8)
    x = torch.rand(2, 8) - 0.5
    label = Verifier(plain).predict(x)
    levels = [Verifier(c, method="interval").largest_level(x, label) for c in (classifier, plain)]
    assert (levels[0] <= levels[1] + 1e-9).all()  # the direct constants are at the first layer only
    assert Verifier(classifier, method=method).largest_level(x, label).isfinite().all()


@pytest.mark.parametrize("method", METHODS)
def test_a_last_layer_without_a_row_per_item_is_no_decision(method):
    layers = nn.Unflatten(1, (2, 4)), nn.ReLU(), nn.Linear(4, 3)
    classifier = Classifier({}, nn.Sequential(*layers), labels=tuple("abc"), sample_rate=8,
                            length=8)  # fmt: skip
    with pytest.raises(ValueError, match=r"the last layer gets \(2, 2, 4\) of a batch of 2"):
        Verifier(classifier, method=method).verify(
            torch.rand(2, 8), torch.zeros(2, dtype=torch.long), linf([0.1, 0.1])
        )


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_coarse_arithmetic_is_not_proven_in_float64(dtype):
    reason = proof_obstacle(dense(nn.Linear(8, 8)).to(dtype))
    assert "no bound covers the rounding of" in (reason or "")
    assert proof_obstacle(dense(nn.Linear(8, 8)).double()) is None
