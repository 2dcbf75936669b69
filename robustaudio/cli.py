"""One command per verb; readable text for people, --json for machines, errors in one sentence.

Arguments are parsed and files checked before torch is imported: `--help` and errors come at once.
"""

import argparse
import gc
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from robustaudio import __version__, app, declared, doors, threads
from robustaudio.cli_files import check_files
from robustaudio.limits import add_limit_options
from robustaudio.plain_json import as_json
from robustaudio.serving import add_serving_options

LISTEN = "Listening tests: what people hear, by a test that holds up."
DEVICE = "cpu, cuda, ... (default: cuda where there is one)"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; 0 on success, else an error's code (its sentence goes to stderr)."""
    argv = sys.argv[1:] if argv is None else argv
    return doors.main_of("robustaudio", partial(_answer, argv))


def _answer(argv: Sequence[str]) -> int:
    """Runs one command and prints its record; 0."""
    arguments = parser().parse_args(with_numbers(argv), argparse.Namespace(argv=argv))
    record = arguments.run(arguments)
    if record is not None:  # the app has none
        print(as_json(record, indent=2) if arguments.json else as_text(record), flush=True)
    return 0


def with_numbers(argv: Sequence[str]) -> list[str]:
    """Joins an option to a negative number, which argparse takes for an option in some notations.

    >>> with_numbers(["--level-db", "-1e2"])
    ['--level-db=-1e2']
    """
    joined: list[str] = []
    for word in argv:
        if joined and joined[-1].startswith("--") and "=" not in joined[-1] and _is_negative(word):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def _is_negative(word: str) -> bool:
    try:
        return word.startswith("-") and float(word) is not None
    except ValueError:
        return False


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser("robustaudio", description="Hear, break and prove a classifier.")
    top.add_argument("--version", action="version", version=__version__)
    verbs = top.add_subparsers(required=True, metavar="VERB")

    def verb(
        name: str, function: str, about: str, *, of: Any = verbs, module: str = "cli_verbs"
    ) -> argparse.ArgumentParser:
        command = of.add_parser(name, help=about, description=about)
        command.set_defaults(run=partial(_run, module, function))
        command.add_argument("--json", action="store_true", help="print JSON")
        return command

    page = verbs.add_parser("app", help=app.__doc__, description="Open the app in a browser.")
    app.add_options(page)
    page.set_defaults(run=app.run)
    listening = verbs.add_parser("listen", help=LISTEN, description=LISTEN)
    tests = listening.add_subparsers(required=True, metavar="VERB")
    _add_listen(partial(verb, of=tests, module="cli_listen"))
    verb("classifiers", "classifiers", "List the classifiers that can be used.")
    predict = verb("predict", "run_predict", "Classify a clip, or measure accuracy on a data set.")
    attack = verb("attack", "run_attack", "Look for the perturbation that changes the decision.")
    noise = verb("noise", "run_noise", "Add Gaussian noise at a representation.")
    verify = verb("verify", "run_verify", "Prove that no perturbation within a level changes it.")
    certify = verb("certify", "run_certify", "Certify the smoothed classifier's radius.")
    ruler = verb("ruler", "run_ruler", "Put the proof and the attack of a clip on one axis in dB.")
    targets = verb("targets", "run_targets", "Look for the smallest level towards every label.")
    maximise = verb("maximise", "run_maximise", "Evolve the sound that is surest to be a label.")
    attacks = declared.options_of_each("attacks", "ATTACKS")
    smoothing = declared.options("certification.smoothing", "Smoothing")
    subtypes = declared.value("audio.clip", "SUBTYPES")
    norms = sorted(declared.keys("threats.norms", "NORMS"))
    methods = declared.value("certification.verify", "METHODS")
    starts = declared.value("evaluation.maximise", "STARTS")
    recipes = declared.first_arguments("training.recipes", "Recipe", "SvmRecipe")
    for command in (predict, attack, noise, verify, certify, ruler, targets, maximise):
        _add_input(command)
    for command in (attack, noise, certify, ruler, targets, maximise):
        command.add_argument("--seed", type=int, default=0, help="seed of all randomness")
    for command in (attack, noise, maximise):
        command.add_argument("--output", type=Path, help="write the perturbed clip as WAV")
        command.add_argument(
            "--subtype", choices=subtypes, help=f"of the WAV (default: {subtypes[0]})"
        )
        command.add_argument("--report", type=Path, help="write a JSON report of the run")
    for command in (attack, verify, targets):
        command.add_argument("--norm", choices=norms, default="linf")
    for command in (attack, verify):
        command.add_argument(
            "--level-db", type=float, action="append",
            help="level relative to the clip's peak (linf), l2 norm (l2) or masking threshold "
            "(masking; 0 is the threshold itself); repeatable on a data set",
        )  # fmt: skip
    verify.add_argument(
        "--method",
        choices=methods,
        default="interval",
        help="crown: slower, and never looser",
    )
    for command in (predict, attack, noise, verify, certify):
        command.add_argument(
            "--resume", type=Path, metavar="FILE",
            help="on a data set: keep a line per clip in FILE, and go on where it ends",
        )  # fmt: skip
        command.add_argument(
            "--workers", type=int, metavar="N",
            help="on a data set: so many processes share the clips (default: 1)",
        )  # fmt: skip
    for command in (attack, targets):
        command.add_argument("--attack", choices=sorted(attacks), default="pgd")
        command.add_argument(
            "--survive-rounding", action="store_true",
            help="what is found must survive a 16-bit file",
        )  # fmt: skip
        _add_attack_options(command, attacks)
    maximise.add_argument("--label", help="what it is to be (default: what is heard)")
    maximise.add_argument("--start", choices=starts, default=starts[0])
    maximise.add_argument("--level-db", type=float, default=-20.0, help="dB of full scale")
    _add_options(maximise, attacks["genetic"])
    attack.add_argument("--target", help="label to reach; on a data set: random")
    attack.add_argument(
        "--smallest", action="store_true",
        help="on a data set: look for the smallest level that succeeds, per clip",
    )  # fmt: skip
    noise.add_argument("--sigma", type=float, action="append", help="repeatable on a data set")
    for command in (attack, noise, certify, targets):
        command.add_argument("--representation", default="waveform")
    for command in (certify, ruler):
        _add_options(command, smoothing)
    ruler.add_argument(
        "--heard", type=Path, metavar="FILE",
        help="a listening study's JSON (its export, or `listen analyse --json`): what was heard",
    )  # fmt: skip
    certify.add_argument("--radius", type=float, action="append", help="repeatable")

    training = verb("train", "run_train", "Train a checkpoint by its recipe.")
    training.add_argument("name", choices=sorted(recipes))
    training.add_argument("--output", type=Path, default=Path("runs"), help="folder to write into")
    training.set_defaults(output_is_folder=True)
    training.add_argument("--seed", type=int, default=0, help="0 is the shipped run")
    training.add_argument("--device", help=DEVICE)
    table = verb("table", "run_table", "Make a table of docs/results again.")
    table.add_argument("name", choices=sorted(declared.keys("reports.tables", "TABLES")))
    table.add_argument("--output", type=Path, help="file to write (default: docs/results/NAME.md)")
    table.add_argument("--limit", type=int, help="clips per split, for a quick look")
    fetch = verb("download", "run_download", "Download a data set's official release.")
    fetch.add_argument("name")
    for command in (training, table):
        _add_threads(command)
    return top


def _run(module: str, function: str, arguments: argparse.Namespace) -> Any:
    """Checks what needs no torch, then imports the verb and runs it."""
    check_files(arguments)
    asked = threads.count(getattr(arguments, "threads", None))
    if "torch" not in sys.modules:
        with _without_collections():
            import_module(f"robustaudio.{module}")
    threads.limit(asked)
    return getattr(import_module(f"robustaudio.{module}"), function)(arguments)


@contextmanager
def _without_collections() -> Iterator[None]:
    """Imports without garbage collections: they find nothing and take a third of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # nor does the end of the program look through what was imported
        gc.enable()


def _add_input(command: argparse.ArgumentParser) -> None:
    command.add_argument("clip", nargs="?", help="a sound file")
    command.add_argument("--classifier", default="digits-cnn", help="name, or .safetensors file")
    command.add_argument("--dataset", help="a data set's name or folder, instead of a clip")
    command.add_argument("--split", default=None, help="default: test")
    command.add_argument("--limit", type=int, help="at most so many clips")
    command.add_argument(
        "--skip-unreadable", action="store_true",
        help="on a data set: leave out files that cannot be read, and count them",
    )  # fmt: skip
    command.add_argument("--device", help=DEVICE)
    _add_threads(command)


def _add_threads(command: argparse.ArgumentParser) -> None:
    command.add_argument("--threads", type=int, metavar="N", help=threads.HELP)


def _add_options(command: argparse.ArgumentParser, options: Iterable[declared.Option]) -> None:
    """One option per field of a dataclass: the default and the help stand with the field."""
    for option in options:
        about = f"{option.help} (default {option.default})"
        _add_option(command, option, option.default, about)


def _add_attack_options(
    command: argparse.ArgumentParser, attacks: dict[str, list[declared.Option]]
) -> None:
    """One option per field name of any attack: each attack has its own default."""
    known: dict[str, dict[str, declared.Option]] = {}
    for name, options in attacks.items():
        for option in options:
            known.setdefault(option.name, {})[name] = option
    for named in known.values():
        by_help: dict[str, list[str]] = {}
        for name, option in named.items():
            by_help.setdefault(option.help, []).append(f"{name} {option.default}")
        about = "; ".join(f"{text} ({', '.join(some)})" for text, some in by_help.items())
        _add_option(command, next(iter(named.values())), None, about)


def _add_option(
    command: argparse.ArgumentParser, option: declared.Option, default: Any, about: str
) -> None:
    flag = f"--{option.name.replace('_', '-')}"
    if option.type is bool:
        action = argparse.BooleanOptionalAction
        command.add_argument(flag, action=action, default=default, help=about)
    else:
        command.add_argument(
            flag, type=option.type, choices=option.choices, default=default, help=about
        )


def _add_listen(verb: Callable[..., argparse.ArgumentParser]) -> None:
    """Adds the verbs of `listen` by the function that makes a command of the program."""
    folder, stores = (declared.value("listening.run.store", name) for name in ("FOLDER", "FORMS"))
    spread, lapse = (
        declared.value("listening.simulated_listeners", name)
        for name in ("TYPICAL_SPREAD_DB", "TYPICAL_LAPSE")
    )
    serve = verb("serve", "run_serve", "Serve a study's listening test to anyone with its link.")
    serve.add_argument("study", type=Path, help="YAML or JSON; see assets/studies")
    serve.add_argument("--host", default="127.0.0.1", help="0.0.0.0 lets other machines in")
    serve.add_argument("--port", type=int, default=7870)
    serve.add_argument("--hours", type=float, help="until the answers are deleted")
    serve.add_argument("--demo", action="store_true", help="store nothing at all")
    serve.add_argument("--store", help=f"{stores} (default {folder})")
    add_serving_options(serve)
    add_limit_options(serve)
    analysis = verb("analyse", "run_analyse", "What the answers in a store say.")
    analysis.add_argument("store", help=stores)
    analysis.add_argument("--study", help="its token, where the store holds several")
    analysis.add_argument("--output", type=Path, help="folder for tables, figures and JSON")
    analysis.set_defaults(output_is_folder=True)
    purge = verb("purge", "run_purge", "Deletes the studies of a store that are over.")
    purge.add_argument("store", help=stores)
    purge.add_argument("--study", help="its token: this one, over or not, damaged or not")
    purge.add_argument(
        "--clock-is-right", action="store_true", help="although the last answer is days away"
    )
    plan = verb(
        "simulate", "run_simulate", "What a study finds out about listeners whose truth is known."
    )
    plan.add_argument("study", type=Path)
    plan.add_argument("--listeners", type=int, default=100)
    plan.add_argument("--threshold", type=float, default=-40.0, help="dB, half way from guessing")
    plan.add_argument("--spread", type=float, default=spread, help="dB")
    plan.add_argument("--lapse", type=float, default=lapse, help="share of answers")
    plan.add_argument("--between", type=float, default=0.0, help="dB, between listeners")
    plan.add_argument("--seed", type=int, default=0)
    plan.add_argument("--store", help="keep the answers there (default: nowhere)")


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
