"""One command per verb; readable text for people, --json for machines, errors in one sentence."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import Field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch

from robustaudio import __version__
from robustaudio.attacks import ATTACKS, MINIMISING, Genetic
from robustaudio.audio.clip import SUBTYPES, Clip
from robustaudio.audio.datasets import download, open_dataset
from robustaudio.certification.interval import UnsupportedLayer
from robustaudio.certification.smoothing import Smoothing
from robustaudio.certification.verify import METHODS
from robustaudio.classifiers import checkpoints
from robustaudio.classifiers.classifier import Classifier
from robustaudio.cli_listen import add_listen
from robustaudio.evaluation import tables
from robustaudio.evaluation.attack import Plan, attack_clip, attack_dataset
from robustaudio.evaluation.certify import certify_clip, certify_dataset
from robustaudio.evaluation.clips import LabelledClips, load_clips
from robustaudio.evaluation.heard import ruler_with_heard
from robustaudio.evaluation.maximise import STARTS, maximise_clip, start_from
from robustaudio.evaluation.noise import noise_clip, noise_dataset
from robustaudio.evaluation.predict import predict_clip, predict_dataset
from robustaudio.evaluation.report import make_report, save_perturbed, save_report
from robustaudio.evaluation.targets import levels_by_target
from robustaudio.evaluation.verify import verify_clip, verify_dataset
from robustaudio.listening.rooms import NoStudy
from robustaudio.threats.norms import NORMS
from robustaudio.training import recipes

ATTACK_LEVEL_DB = {"linf": -40.0, "l2": -40.0, "masking": 0.0}
LARGEST_LEVEL_DB = {"linf": 0.0, "l2": 0.0, "masking": 20.0}  # for what minimises by itself
DEFAULT_LEVEL_DB = {"linf": -70.0, "l2": -70.0, "masking": -12.0}
DEFAULT_LEVELS_DB = {
    "linf": (-110.0, -100.0, -90.0, -80.0, -70.0, -60.0, -50.0, -40.0, -36.0),
    "l2": (-100.0, -90.0, -80.0, -70.0, -60.0, -50.0, -40.0),
    "masking": (-36.0, -24.0, -12.0, -6.0, 0.0),
}
DEFAULT_RADII = (0.05, 0.1, 0.25, 0.5)
DEFAULT_SIGMA = 0.1
LISTEN = "Listening tests: what people hear, by a test that holds up."
CARD_COLUMNS = ("name", "task", "test_accuracy", "bundled_accuracy", "about")  # as text


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; 0 on success, 2 after an error (whose sentence goes to stderr)."""
    argv = sys.argv[1:] if argv is None else argv
    arguments = parser().parse_args(argv, argparse.Namespace(argv=argv))
    try:
        record = arguments.run(arguments)
    except (ValueError, UnsupportedLayer, NoStudy) as error:
        print(f"robustaudio: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("robustaudio: cancelled.", file=sys.stderr)
        return 130
    try:
        print(json.dumps(record, indent=2) if arguments.json else as_text(record), flush=True)
    except BrokenPipeError:  # whoever reads, `head` say, has seen enough
        sys.stdout = None
    return 0


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser("robustaudio", description="Hear, break and prove a classifier.")
    top.add_argument("--version", action="version", version=__version__)
    verbs = top.add_subparsers(required=True, metavar="VERB")

    def verb(name: str, run: Callable, about: str, of: Any = verbs) -> argparse.ArgumentParser:
        command = of.add_parser(name, help=about, description=about)
        command.set_defaults(run=run)
        command.add_argument("--json", action="store_true", help="print JSON")
        return command

    listening = verbs.add_parser("listen", help=LISTEN, description=LISTEN)
    add_listen(partial(verb, of=listening.add_subparsers(required=True, metavar="VERB")))
    verb("classifiers", classifiers, "List the shipped classifiers.")
    predict = verb("predict", run_predict, "Classify a clip, or measure accuracy on a data set.")
    attack = verb("attack", run_attack, "Look for the perturbation that changes the decision.")
    noise = verb("noise", run_noise, "Add Gaussian noise at a representation.")
    verify = verb("verify", run_verify, "Prove that no perturbation within a level changes it.")
    certify = verb("certify", run_certify, "Certify the smoothed classifier's radius.")
    ruler = verb("ruler", run_ruler, "Put the proof and the attack of a clip on one axis in dB.")
    targets = verb("targets", run_targets, "Look for the smallest level towards every label.")
    maximise = verb("maximise", run_maximise, "Evolve the sound that is surest to be a label.")
    for command in (predict, attack, noise, verify, certify, ruler, targets, maximise):
        _add_input(command)
    for command in (attack, noise, certify, ruler, targets, maximise):
        command.add_argument("--seed", type=int, default=0, help="seed of all randomness")
    for command in (attack, noise, maximise):
        command.add_argument("--output", type=Path, help="write the perturbed clip as WAV")
        command.add_argument("--subtype", choices=SUBTYPES, default=SUBTYPES[0])
        command.add_argument("--report", type=Path, help="write a JSON report of the run")
    for command in (attack, verify, targets):
        command.add_argument("--norm", choices=sorted(NORMS), default="linf")
    for command in (attack, verify):
        command.add_argument(
            "--level-db", type=float, action="append",
            help="level relative to the clip's peak (linf), l2 norm (l2) or masking threshold "
            "(masking; 0 is the threshold itself); repeatable on a data set",
        )  # fmt: skip
    verify.add_argument(
        "--method", choices=METHODS, default="interval", help="crown: slower, and never looser"
    )
    for command in (attack, verify):
        command.add_argument(
            "--resume", type=Path, metavar="FILE",
            help="on a data set: keep a line per clip in FILE, and go on where it ends",
        )  # fmt: skip
    for command in (attack, targets):
        command.add_argument("--attack", choices=sorted(ATTACKS), default="pgd")
        command.add_argument(
            "--survive-rounding", action="store_true",
            help="what is found must survive a 16-bit file",
        )  # fmt: skip
        _add_attack_fields(command)
    maximise.add_argument("--label", help="what it is to be (default: what is heard)")
    maximise.add_argument("--start", choices=STARTS, default=STARTS[0])
    maximise.add_argument("--level-db", type=float, default=-20.0, help="dB of full scale")
    _add_fields(maximise, fields(Genetic))
    attack.add_argument("--target", help="label to reach; on a data set: random")
    attack.add_argument(
        "--smallest", action="store_true",
        help="on a data set: look for the smallest level that succeeds, per clip",
    )  # fmt: skip
    noise.add_argument("--sigma", type=float, action="append", help="repeatable on a data set")
    for command in (attack, noise, certify, targets):
        command.add_argument("--representation", default="waveform")
    for command in (certify, ruler):
        _add_fields(command, fields(Smoothing))
    ruler.add_argument(
        "--heard", type=Path, metavar="FILE",
        help="a listening study's JSON (its export, or `listen analyse --json`): what was heard",
    )  # fmt: skip
    certify.add_argument("--radius", type=float, action="append", help="repeatable")

    training = verb("train", run_train, "Train a checkpoint by its recipe.")
    training.add_argument("name", choices=sorted(recipes.RECIPES))
    training.add_argument("--output", type=Path, default=Path("runs"), help="folder to write into")
    training.add_argument("--seed", type=int, default=0, help="0 is the shipped run")
    training.add_argument("--device", default=default_device())
    table = verb("table", run_table, "Make a table of docs/results again.")
    table.add_argument("name", choices=sorted(tables.TABLES))
    table.add_argument("--output", type=Path, help="file to write (default: docs/results/NAME.md)")
    table.add_argument("--limit", type=int, help="clips per split, for a quick look")
    fetch = verb("download", run_download, "Download a data set's official release.")
    fetch.add_argument("name")
    return top


def default_device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


# --- verbs: convert, call one back-end function, return the record -------------------------------


def classifiers(arguments: argparse.Namespace) -> list[dict]:
    cards = [checkpoints.read_card(name) for name in checkpoints.names()]
    return cards if arguments.json else [{k: card[k] for k in CARD_COLUMNS} for card in cards]


def run_predict(arguments: argparse.Namespace) -> dict:
    classifier = _classifier(arguments)
    if arguments.dataset:
        return predict_dataset(classifier, _dataset(arguments, classifier))
    return predict_clip(classifier, _clip(arguments, classifier).samples)


def run_attack(arguments: argparse.Namespace) -> dict:
    classifier, plan = _classifier(arguments), _plan(arguments)
    by_itself = isinstance(plan.attack, MINIMISING)
    start_db = (LARGEST_LEVEL_DB if by_itself else ATTACK_LEVEL_DB)[plan.norm]
    common = {"seed": arguments.seed, "progress": _progress()}
    if arguments.dataset:
        _refuse_files(arguments)
        if arguments.target not in (None, "random"):
            raise ValueError(f"--target {arguments.target} on a data set: only 'random' is known.")
        return attack_dataset(
            classifier, _dataset(arguments, classifier), plan,
            levels_db=arguments.level_db or _up_to(start_db),
            targeted=arguments.target is not None, smallest=arguments.smallest,
            path=arguments.resume, **common,
        )  # fmt: skip
    if arguments.resume or arguments.smallest:
        raise ValueError("--resume and --smallest belong to a data set; see `ruler` for a clip.")
    clip = _clip(arguments, classifier)
    target = None if arguments.target is None else classifier.label_index(arguments.target)
    level_db = _single(arguments.level_db, "--level-db", start_db)
    result = attack_clip(classifier, clip.samples, plan, level_db=level_db, target=target, **common)
    return _written(arguments, classifier, clip, result)


def run_noise(arguments: argparse.Namespace) -> dict:
    classifier = _classifier(arguments)
    options = {"representation": arguments.representation, "seed": arguments.seed}
    if arguments.dataset:
        _refuse_files(arguments)
        return noise_dataset(
            classifier, _dataset(arguments, classifier),
            sigmas=arguments.sigma or [DEFAULT_SIGMA], progress=_progress(), **options,
        )  # fmt: skip
    clip = _clip(arguments, classifier)
    sigma = _single(arguments.sigma, "--sigma", DEFAULT_SIGMA)
    result = noise_clip(classifier, clip.samples, sigma=sigma, **options)
    return _written(arguments, classifier, clip, result)


def run_verify(arguments: argparse.Namespace) -> dict:
    classifier = _classifier(arguments)
    common = {"norm": arguments.norm, "method": arguments.method, "progress": _progress()}
    if arguments.dataset:
        return verify_dataset(
            classifier, _dataset(arguments, classifier), path=arguments.resume,
            levels_db=arguments.level_db or DEFAULT_LEVELS_DB[arguments.norm], **common,
        )  # fmt: skip
    if arguments.resume:
        raise ValueError("--resume belongs to a data set, not to a single clip.")
    level_db = _single(arguments.level_db, "--level-db", DEFAULT_LEVEL_DB[arguments.norm])
    clip = _clip(arguments, classifier)
    return verify_clip(classifier, clip.samples, level_db=level_db, **common)


def run_certify(arguments: argparse.Namespace) -> dict:
    classifier = _classifier(arguments)
    smoothing = _smoothing(arguments)
    common = {
        "representation": arguments.representation, "seed": arguments.seed, "progress": _progress(),
    }  # fmt: skip
    if arguments.dataset:
        return certify_dataset(
            classifier, _dataset(arguments, classifier), smoothing,
            radii=arguments.radius or DEFAULT_RADII, **common,
        )  # fmt: skip
    clip = _clip(arguments, classifier)
    return certify_clip(classifier, clip.samples, smoothing, **common)


def run_ruler(arguments: argparse.Namespace) -> dict:
    if arguments.dataset:
        raise ValueError("a ruler belongs to a single clip; see `table` for a data set.")
    classifier = _classifier(arguments)
    clip = _clip(arguments, classifier)
    return ruler_with_heard(
        arguments.heard, classifier, clip, smoothing=_smoothing(arguments), seed=arguments.seed,
        progress=_progress(),
    )  # fmt: skip


def run_targets(arguments: argparse.Namespace) -> dict:
    if arguments.dataset:
        raise ValueError("the levels by target belong to a single clip.")
    classifier, plan = _classifier(arguments), _plan(arguments)
    clip = _clip(arguments, classifier)
    return levels_by_target(
        classifier, clip.samples, plan, seed=arguments.seed, progress=_progress()
    )


def run_maximise(arguments: argparse.Namespace) -> dict:
    if arguments.dataset:
        raise ValueError("maximise works on a single clip.")
    classifier = _classifier(arguments)
    clip = _clip(arguments, classifier)
    label = arguments.label or predict_clip(classifier, clip.samples)["prediction"]
    start = start_from(arguments.start, clip.samples, arguments.seed)
    attack = _from_fields(Genetic, arguments)
    result = maximise_clip(
        classifier, start, attack, label=label, level_db=arguments.level_db, seed=arguments.seed,
        progress=_progress(),
    )  # fmt: skip
    return _written(arguments, classifier, replace(clip, samples=start), result)


def run_train(arguments: argparse.Namespace) -> dict:
    recipe = replace(recipes.RECIPES[arguments.name], seed=arguments.seed)
    recipes.run(recipe, arguments.output, device=arguments.device, log=_log)
    return checkpoints.read_card(arguments.output / f"{recipe.name}.safetensors")


def run_table(arguments: argparse.Namespace) -> dict:
    made = tables.TABLES[arguments.name](arguments.output, limit=arguments.limit, log=_log)
    return made if arguments.json else {"output": made["output"]}


def run_download(arguments: argparse.Namespace) -> dict:
    dataset = download(arguments.name)
    return {"dataset": dataset.name, "folder": str(dataset.folder), "clips": len(dataset)}


# --- from arguments to values --------------------------------------------------------------------


def _add_input(command: argparse.ArgumentParser) -> None:
    command.add_argument("clip", nargs="?", help="a sound file")
    command.add_argument("--classifier", default="digits-cnn", help="name, or .safetensors file")
    command.add_argument("--dataset", help="name of a data set, instead of a clip")
    command.add_argument("--split", default=None, help="default: test")
    command.add_argument("--limit", type=int, help="at most so many clips")
    command.add_argument("--device", default=default_device())


def _add_fields(command: argparse.ArgumentParser, options: Any) -> None:
    """One option per dataclass field: the default and the help stand with the field."""
    for option in options:
        about = f"{option.metadata['help']} (default {option.default})"
        _add_field(command, option, option.default, about)


def _add_attack_fields(command: argparse.ArgumentParser) -> None:
    """One option per field name of any attack: each attack has its own default."""
    known: dict[str, dict] = {}
    for name, kind in ATTACKS.items():
        for option in fields(kind):
            known.setdefault(option.name, {})[name] = option
    for named in known.values():
        by_help: dict[str, list[str]] = {}
        for name, option in named.items():
            by_help.setdefault(option.metadata["help"], []).append(f"{name} {option.default}")
        about = "; ".join(f"{text} ({', '.join(some)})" for text, some in by_help.items())
        _add_field(command, next(iter(named.values())), None, about)


def _add_field(command: argparse.ArgumentParser, option: Field, default: Any, about: str) -> None:
    flag = f"--{option.name.replace('_', '-')}"
    if option.type is bool:
        action = argparse.BooleanOptionalAction
        command.add_argument(flag, action=action, default=default, help=about)
    else:
        kind, choices = cast(type, option.type), option.metadata.get("choices")
        command.add_argument(flag, type=kind, choices=choices, default=default, help=about)


def _classifier(arguments: argparse.Namespace) -> Classifier:
    if bool(arguments.clip) == bool(arguments.dataset):
        raise ValueError("name either a sound file or --dataset NAME.")
    try:
        device = torch.device(arguments.device)
        torch.zeros(1, device=device).item()  # a device without data fails here
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"--device {arguments.device} is not at hand; try cpu.") from error
    return checkpoints.load_classifier(arguments.classifier, device)


def _clip(arguments: argparse.Namespace, classifier: Classifier) -> Clip:
    clip = classifier.prepare(Clip.load(arguments.clip))
    return clip.to(classifier.device)


def _dataset(arguments: argparse.Namespace, classifier: Classifier) -> LabelledClips:
    dataset = open_dataset(arguments.dataset)
    split = arguments.split or ("test" if "test" in dataset.splits else dataset.splits[0])
    return load_clips(classifier, dataset.select(split, arguments.limit))


def _plan(arguments: argparse.Namespace) -> Plan:
    """The attack with the options that were given; the others are its own defaults."""
    own = {f.name for f in fields(ATTACKS[arguments.attack])}
    known = {f.name for kind in ATTACKS.values() for f in fields(kind)}
    given = {n: v for n in sorted(known) if (v := getattr(arguments, n)) is not None}
    for name in given.keys() - own:
        raise ValueError(f"--{name.replace('_', '-')} is no option of {arguments.attack}.")
    attack = ATTACKS[arguments.attack](**given)
    return Plan(attack, arguments.norm, arguments.representation, arguments.survive_rounding)


def _up_to(level_db: float) -> list[float]:
    return [level_db - below for below in (20.0, 10.0, 0.0)]


def _smoothing(arguments: argparse.Namespace) -> Smoothing:
    return _from_fields(Smoothing, arguments)


def _from_fields(kind: type, arguments: argparse.Namespace) -> Any:
    return kind(**{f.name: getattr(arguments, f.name) for f in fields(kind)})


def _single(values: list[float] | None, flag: str, default: float) -> float:
    if values and len(values) > 1:
        raise ValueError(f"{flag} may be given once for a clip; it is repeatable on a data set.")
    return values[0] if values else default


def _refuse_files(arguments: argparse.Namespace) -> None:
    if arguments.output or arguments.report:
        raise ValueError("--output and --report belong to a single clip, not to a data set.")


def _written(
    arguments: argparse.Namespace, classifier: Classifier, clip: Clip, result: Any
) -> dict:
    """The record, after the files that were asked for are written."""
    record = result.record
    if arguments.output:
        record = {
            **record,
            **save_perturbed(classifier, clip, result, arguments.output, arguments.subtype),
        }
    if arguments.report:
        command = ["python", "-m", "robustaudio", *arguments.argv]
        save_report(make_report(classifier, clip, command, record), arguments.report)
    return record


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _progress() -> Callable[..., None] | None:
    """A percentage on stderr, where somebody is looking."""
    if not sys.stderr.isatty():
        return None
    return lambda done, step=None: print(f"\r{done:4.0%}", end="\r", file=sys.stderr, flush=True)


def as_text(record: Any, indent: str = "") -> str:
    """A record as aligned lines; lists of records as a table."""
    if isinstance(record, list):
        return "\n".join(_table(record, indent))
    width = max(map(len, record), default=0)
    lines = []
    for key, value in record.items():
        if isinstance(value, dict):
            lines += [f"{indent}{key}", as_text(value, indent + "  ")]
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            lines += [f"{indent}{key}", *_table(value, indent + "  ")]
        else:
            lines.append(f"{indent}{key:<{width}}  {_shown(value)}")
    return "\n".join(lines)


def _table(rows: list[dict], indent: str) -> list[str]:
    columns = {c: [c, *(_shown(row[c]) for row in rows)] for c in rows[0]}
    padded = []
    for name, cells in columns.items():
        width, is_text = max(map(len, cells)), isinstance(rows[0][name], str)
        padded.append([c.ljust(width) if is_text else c.rjust(width) for c in cells])
    return [(indent + "  ".join(line)).rstrip() for line in zip(*padded, strict=True)]


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e-3 or abs(value) >= 1e4 else f"{value:.4f}"
    if isinstance(value, list) and len(value) > 8:
        return f"[{len(value)} values]"
    return "-" if value is None else str(value)
