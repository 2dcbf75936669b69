"""The contract of the command line: what scripts rely on, run, normalised, compared, recorded.

`python tests/contracted.py [CASE ...]` records the golden copies in tests/contract again. Only a
change that is meant to break scripts may do so; `test_contract` says what is compared, and how.
Nothing of the package is imported but its entry point, so that the package may be rebuilt inside.
"""

import csv
import io
import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import isclose
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import soundfile

ROOT = Path(__file__).parents[1]
GOLDEN = Path(__file__).with_name("contract")
RELATIVE, ABSOLUTE = 1e-4, 1e-3  # how far numbers may lie apart
LONGEST = 4  # numbers of a list that are all recorded; of a longer one its ends
MOST_ITEMS = 8  # objects of a list that are all recorded
WHOLE = {("answers",), ("answers", "json")}  # lists that are recorded whole: commands, and cards
LONGEST_TEXT = 200  # characters; a longer text (a sound, a picture) is recorded as text
TYPE, LIST = "<type>", "<list>"  # keys of what stands for a value, and for a list
# differ from run to run, from machine to machine, or from version to version
VOLATILE = {
    "seconds", "robustaudio", "versions", "threads", "app_version", "study_sha256",
    "stimulus_sha256", "study", "expires", "output", "deleted",
}  # fmt: skip
# what was asked, and what no draw changes: it is compared even where results are drawn
FIXED = {
    "seed", "budget_db", "sigma", "n", "n0", "alpha", "chunk", "settings", "smoothing", "label",
    "clips", "sample_rate", "samples", "gain", "code", "says", "random_start", "targeted",
    "survive_rounding", "subtype", "representation", "probability_before", "clean_accuracy",
    "verified_db", "verified_l2_db", "verified_masking_db", "floor_16_bit_db", "heard",
    "samplerate", "frames", "channels", "flags",
}  # fmt: skip
# what is compared of a study that is served; of the rest the types, for its seeds are secrets
SERVED = {
    "status", "kind", "step", "paradigm", "screening", "columns", "gain_db", "sounds", "choices",
    "trials", "practice", "most_attempts", "of", "number", "answers", "begun", "finished",
    "simulated", "wireless", "unscreened", "demo", "schema_version", "consent_version",
}  # fmt: skip
FIXED_IN_LISTS = {("levels", "level_db"), ("radii", "radius")}


@dataclass(frozen=True)
class Case:
    """Commands that run one after the other in an empty folder, and the files they leave.

    `{clip}` in a word stands for a bundled clip, `{folder}` for the case's own folder, `{token}`
    for the study of its store. Results that are `drawn` at random are compared by their types, but
    for what is `FIXED`. `texts` are files that stand in the folder before; with `stored` it has a
    store that an older version wrote, of a study that is not over.
    """

    group: str
    name: str
    commands: Sequence[str]
    files: Sequence[str] = ()
    drawn: bool = False
    texts: Mapping[str, str] = field(default_factory=dict)
    stored: bool = False


# --- running -------------------------------------------------------------------------------------


def run(case: Case) -> dict[str, Any]:
    """What each command of a case answers, and what stands in its files, normalised."""
    if case.group == "served":
        return served()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if case.stored:
            shutil.copytree(GOLDEN / "store", folder / "store")
            study = next((folder / "store").glob("*/study.jsonl"))
            end = (datetime.now(UTC) + timedelta(days=7)).isoformat(timespec="seconds")
            study.write_text(study.read_text("utf-8").replace("EXPIRES", end), "utf-8")
        for file, text in case.texts.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text, "utf-8")
        answers = [answer(command, folder) for command in case.commands]
        assert case.group == "errors" or not any(one["code"] for one in answers), case.name
        files = {file: content(folder / file) for file in case.files}
        made = {"answers": answers, "files": files}
        return json.loads(json.dumps(made).replace(name, "FOLDER").replace(str(ROOT), "ROOT"))


def words(command: str, folder: Path) -> list[str]:
    """The words of a command, with its places filled in."""
    places = {"clip": CLIP, "instrument": INSTRUMENT, "folder": folder}
    places["token"] = next((path.name for path in (folder / "store").glob("[!.]*")), "")
    return [word.format(**places) for word in command.split()]


def answer(command: str, folder: Path) -> dict[str, Any]:
    """The exit code of a command, and the JSON that it prints; of an error, that it is told."""
    argv = words(command, folder)
    code, out, err = call(argv)
    said = {"command": command, "code": code}
    assert "Traceback" not in err, err
    if "--help" in argv:
        flags = sorted(set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", out)))
        return said | {"flags": dict.fromkeys(flags, True)}
    if code:
        print(err, file=sys.stderr)  # a test that fails shows it
        return said | {"out": out, "says": bool(err.strip())}
    return said | {"json": json.loads(out)}


def served() -> dict[str, Any]:
    """What pages get of a study that is served: one listener's way, and the teacher's exports."""
    with tempfile.TemporaryDirectory() as name:
        study = Path(name) / "study.yaml"
        procedure = (
            "{kind: abx, levels_db: [-20], trials: 2, practice: 1, catch_every: 0, audible_db: 4}"
        )
        study.write_text(STUDY.format(procedure=procedure, screening="antiphase"), "utf-8")
        command = [sys.executable, "-m", "robustaudio", "listen", "serve", str(study), "--json"]
        command += ["--port", "0", "--store", f"{name}/store"]
        with subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as server:
            try:
                assert server.stderr
                lines = (server.stderr.readline() for _ in range(2))
                home, teacher = (line.split()[-1] for line in lines)
                pages = _visited(home, teacher.partition("#")[2])
            finally:
                server.send_signal(signal.SIGINT)
                out, err = server.communicate(timeout=60)
        assert "Traceback" not in err, err
        return {**pages, "at-the-end": json.loads(out), "code": server.returncode}


def _visited(home: str, key: str) -> dict[str, Any]:
    """What the server answers by the way, under the name of each step."""
    code = ""

    def ask(path: str, **sent: Any) -> dict[str, Any]:
        headers = {"X-Listener": code, "X-Teacher": key, "Content-Type": "application/json"}
        body = json.dumps(sent).encode() if sent else None
        try:
            with urlopen(Request(f"{home}/{path}", body, headers), timeout=60) as reply:
                status, kind, text = reply.status, reply.headers["Content-Type"], reply.read()
        except HTTPError as error:
            status, kind, text = error.code, error.headers["Content-Type"], error.read()
        if kind == "application/json":
            return {"status": status, "json": json.loads(text)}
        if kind.startswith("text/csv"):
            return {
                "status": status,
                "columns": text.decode("utf-8-sig").splitlines()[0].split(","),
            }
        return {"status": status, "kind": kind}

    pages = {"study": ask("study"), "no-consent": ask("start", agreed=False)}
    pages["start"] = ask("start", agreed=True)
    code = pages["start"]["json"]["code"]
    pages["too-early"] = ask("result")
    pages["beeps"] = ask("check/beeps/0")
    counted = (ask("sound", beeps=n, sample_rate=48000, device="wireless") for n in range(2, 6))
    pages["sound"] = next(one for one in counted if one["status"] == 200)
    pages["screening"] = ask("check/screening/0")
    pages["unscreened"] = ask("unscreened", on=True)
    pages["level"] = ask("level", gain_db=-12.5)
    pages["first-trial"] = ask("trial/0/0")
    told = {"answer": 1, "response_time_s": 1.5, "plays": 3, "switches": 1}
    pages["wrong-answer"] = ask("answer", trial=0, **{**told, "answer": 7})
    pages["practice"] = state = ask("answer", trial=0, **told)
    while trial := state["json"]["trial"]:
        pages["answer"] = pages.get("answer", state)
        state = ask("answer", trial=trial["number"], **told)
    pages |= {"done": state, "result": ask("result"), "state": ask("state")}
    for path in ("pooled", "export/csv", "export/json", "export/study", "export/none"):
        pages[path] = ask(path)
    pages["expire"] = ask("expire", hours=1)
    key = "nobody's"
    pages["wrong-key"] = ask("pooled")
    return {**pages, "forget": ask("forget", yes=True), "forgotten": ask("state")}


def call(argv: Sequence[str]) -> tuple[int, str, str]:
    """Runs the command line in this process; its exit code, stdout and stderr."""
    from robustaudio.__main__ import main

    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
    before, sys.argv = sys.argv, ["robustaudio", *argv]
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.argv = before
    texts = []
    for stream in (out, err):
        stream.flush()
        stream.seek(0)
        texts.append(stream.read())
    return code, *texts


def content(path: Path) -> Any:
    """What stands in a file, as JSON; of a sound its format, of a folder its names."""
    if path.is_dir():
        return {"names": dict.fromkeys(sorted(one.name for one in path.iterdir()), True)}
    match path.suffix:
        case ".json":
            return json.loads(path.read_text("utf-8"))
        case ".jsonl":
            return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        case ".csv":
            columns, *rows = csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), ""))
            cells = [dict(zip(columns, map(_cell, row), strict=True)) for row in rows]
            return {"columns": columns, "rows": cells}
        case ".wav":
            sound = soundfile.info(path)
            names = ("samplerate", "frames", "channels", "format", "subtype")
            return {name: getattr(sound, name) for name in names}
    raise ValueError(f"{path.name} is of no kind that is compared.")


def _cell(text: str) -> Any:
    """A cell of a table as the number it holds, so that numbers are compared as such."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


# --- recording -----------------------------------------------------------------------------------


def recorded(value: Any, drawn: bool, path: tuple[str, ...] = ()) -> Any:
    """What a golden copy holds of a value: itself, its type, or the ends of a long list."""
    match value:
        case dict():
            return {key: recorded(one, drawn, (*path, key)) for key, one in value.items()}
        case list() if not any(isinstance(one, dict | list) for one in value):
            if drawn and value and not _is_fixed(path) and not _is_texts(value):
                return {LIST: None, "types": sorted({*map(_kind, value), "NoneType"})}
            return _ends(value, LONGEST, drawn, path)
        case list():
            return _ends(value, MOST_ITEMS, drawn, path)
        case str() if len(value) > LONGEST_TEXT or VOLATILE.intersection(path):
            return {TYPE: "str"}
    if VOLATILE.intersection(path) and value is not None:
        return {TYPE: _kind(value)}
    is_drawn = isinstance(value, int | float) or (path and "prediction" in path[-1])
    if drawn and is_drawn and value is not None and not _is_fixed(path):
        return {TYPE: _kind(value)}
    return round(value, 6) if isinstance(value, float) and abs(value) > 1 else value


def typed(value: Any, key: str = "") -> Any:
    """What a golden copy holds where seeds cannot be chosen: types, and what is `SERVED`."""
    match value:
        case dict():
            return {name: typed(one, name) for name, one in value.items()}
        case list() if value and all(isinstance(one, dict) for one in value):
            first, last = typed(value[0]), typed(value[-1])
            return {LIST: len(value), "first": first, "last": last}
        case list() if key != "columns":
            return {LIST: None, "types": sorted({*map(_kind, value)})}
    return value if value is None or key in SERVED else {TYPE: _kind(value)}


def _ends(items: list, most: int, drawn: bool, path: tuple[str, ...]) -> Any:
    if len(items) <= most or _is_texts(items) or path in WHOLE:
        return [recorded(one, drawn, path) for one in items]
    first, last = (recorded(items[at], drawn, path) for at in (0, -1))
    return {LIST: len(items), "first": first, "last": last}


def _is_fixed(path: tuple[str, ...]) -> bool:
    return bool(FIXED.intersection(path)) or path[-2:] in FIXED_IN_LISTS


def _is_texts(items: list) -> bool:
    return all(isinstance(one, str) for one in items)


def _kind(value: Any) -> str:
    return type(value).__name__


# --- comparing -----------------------------------------------------------------------------------


def broken(golden: Any, value: Any, path: str = "") -> Iterator[str]:
    """Where a value does not keep what is recorded of it; what is new in it may be anything."""
    match golden:
        case {"<type>": kind}:
            if _kind(value) != kind:
                yield f"{path}: {value!r} is not of type {kind}"
        case {"<list>": None, "types": kinds}:
            if not isinstance(value, list) or not {*map(_kind, value)} <= {*kinds}:
                yield f"{path}: not a list of {' or '.join(kinds)}"
        case {"<list>": length, "first": first, "last": last}:
            if not isinstance(value, list) or len(value) != length:
                yield f"{path}: not a list of {length}"
            else:
                yield from broken(first, value[0], f"{path}[0]")
                yield from broken(last, value[-1], f"{path}[-1]")
        case dict():
            if not isinstance(value, dict):
                yield f"{path}: {value!r} is no object"
                return
            for key, one in golden.items():
                if key in value:
                    yield from broken(one, value[key], f"{path}.{key}")
                else:
                    yield f"{path}.{key} is gone"
        case list() if path.endswith(".columns"):  # of a table: new ones may stand anywhere
            kept = [one for one in value if one in golden]
            if kept != golden:
                yield f"{path}: the columns are {value}, not {golden}"
        case list():
            if not isinstance(value, list) or len(value) != len(golden):
                yield f"{path}: {value!r} is not a list of {len(golden)}"
                return
            for place, (one, other) in enumerate(zip(golden, value, strict=True)):
                yield from broken(one, other, f"{path}[{place}]")
        case float():
            close = type(value) is float and isclose(
                golden, value, rel_tol=RELATIVE, abs_tol=ABSOLUTE
            )
            if not close:
                yield f"{path}: {value!r} is not {golden!r}"
        case _:
            if type(value) is not type(golden) or value != golden:
                yield f"{path}: {value!r} is not {golden!r}"


def golden_of(case: Case) -> Any:
    """The golden copy of a case."""
    return json.loads((GOLDEN / f"{case.group}.json").read_text("utf-8"))[case.name]


def record(names: Sequence[str]) -> None:
    """Records the cases of these names, or all of them."""
    GOLDEN.mkdir(exist_ok=True)
    for group in sorted({case.group for case in CASES}):
        path = GOLDEN / f"{group}.json"
        before = json.loads(path.read_text("utf-8")) if path.exists() else {}
        cases = [case for case in CASES if case.group == group]
        made = {
            case.name: (
                typed(run(case)) if case.group == "served" else recorded(run(case), case.drawn)
            )
            if not names or case.name in names
            else before.get(case.name)
            for case in cases
        }
        lines = (f"{json.dumps(name)}: {json.dumps(one)}" for name, one in made.items())
        path.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
        print(f"{path.name}: {len(cases)} cases, {path.stat().st_size:,} bytes", file=sys.stderr)


# --- the cases -----------------------------------------------------------------------------------


def bundled(name: str) -> Path:
    """A bundled clip, wherever the folder of the assets stands."""
    folders = (ROOT / "assets" / "clips", ROOT / "robustaudio" / "assets" / "clips")
    return next(folder / name for folder in folders if folder.is_dir())


CLIP, INSTRUMENT = bundled("seven-slt.wav"), bundled("flute-leap.wav")
DATA = "--dataset bundled-digits --limit 4 --json"
SVM = "--classifier instruments-svm"
IBP = "--classifier digits-cnn-ibp"
SMALL = "--n0 10 --n 100"
FEW = "--queries 60 --population 4 --offspring 6"
STUDY = """
title: A short test
clips:
  - {{name: seven, sound: "bundled:seven-slt.wav"}}
  - {{name: two, sound: "bundled:two-slt.wav"}}
families: [white, shaped]
model: {{name: digits-cnn, certified_radius: 0.1, sigma: 0.25, alpha: 0.001, n: 1000}}
screening: {screening}
seed: 7
procedure: {procedure}
"""
PROCEDURES = {
    "abx": "{kind: abx, levels_db: [-20, -45], trials: 6, practice: 1, audible_db: 4}",
    "quest": "{kind: quest, trials: 12, audible_db: 4, min_db: -60, expected_db: -40}",
    "staircase": "{kind: staircase, alternatives: 3, reversals: 4, audible_db: 4, min_db: -60}",
    "mushra": "{kind: mushra, levels_db: [-60, -40, -20], repeats: 2}",
    "impairment": "{kind: impairment, levels_db: [-50, -30], repeats: 2, practice: 1}",
}


TABLES = ("out", "out/rows.csv", "out/rows.json", "out/analysis.json")


def clip_cases() -> Iterator[Case]:
    """Every verb on a clip."""

    def case(name: str, *commands: str, drawn: bool = False, files: Sequence[str] = ()) -> Case:
        return Case("clip", name, [f"{one} --json" for one in commands], files, drawn)

    fixed = "--attack pgd --steps 5 --no-random-start"
    yield case("classifiers", "classifiers")
    yield case("predict", "predict {clip}", f"predict {{instrument}} {SVM}")
    yield case(
        "attack-in-every-norm",
        *(f"attack {{clip}} {fixed} --norm {norm}" for norm in ("linf", "l2", "masking")),
    )
    representations = ("magnitude", "mel")
    yield case(
        "attack-at-every-representation",
        *(f"attack {{clip}} --attack fgsm --representation {name}" for name in representations),
    )
    yield case(
        "attack-targeted",
        f"attack {{clip}} {fixed} --target 3 --level-db -30 --survive-rounding",
        "attack {clip} --attack bim --steps 3 --target 1 --level-db -60",
        "attack {clip} --attack pgd --classifier digits-lstm --no-random-start --steps 4",
    )
    yield case(
        "attacks",
        "attack {clip} --attack fgsm",
        "attack {clip} --attack bim --steps 4",
        "attack {clip} --attack mifgsm --steps 4",
        "attack {clip} --attack deepfool --steps 20",
        "attack {clip} --attack jsma --at-once 64 --level-db -20",
    )
    yield case(
        "attacks-drawn",
        "attack {clip} --attack pgd --steps 5 --seed 3",
        "attack {clip} --attack apgd --steps 6",
        "attack {clip} --attack cw --steps 20 --searches 2 --norm l2",
        "attack {clip} --attack cw-audio --steps 20",
        "attack {clip} --attack psychoacoustic --steps 20 --hiding-steps 10 --level-db -20",
        f"attack {{clip}} --attack genetic {FEW}",
        f"attack {{clip}} --attack genetic {FEW} --no-stops --distance nmr --weight 0.1",
        f"attack {{instrument}} {SVM} --attack genetic {FEW}",
        "attack {clip} --attack hill-climber --queries 60",
        "attack {clip} --attack random-search --queries 60",
        drawn=True,
    )
    yield case(
        "noise",
        "noise {clip} --sigma 0.01",
        "noise {clip} --sigma 0.01 --representation magnitude",
        "noise {clip} --sigma 0.01 --representation mel",
        drawn=True,
    )
    norms = ("--norm linf", "--norm l2", "--norm masking --level-db -24")
    yield case(
        "verify",
        *(
            f"verify {{clip}} {IBP} {norm} --method {method}"
            for norm in norms
            for method in ("interval", "crown")
        ),
        "verify {clip} --level-db -40",
    )
    yield case(
        "certify",
        f"certify {{clip}} --classifier digits-cnn-noise --sigma 0.05 {SMALL}",
        f"certify {{clip}} --sigma 0.01 --representation log_mel {SMALL} --alpha 0.01",
        drawn=True,
    )
    yield case(
        "ruler",
        f"ruler {{clip}} {IBP} {SMALL}",
        f"ruler {{clip}} --classifier digits-lstm {SMALL}",
        drawn=True,
    )
    yield case("targets", "targets {clip} --attack fgsm", "targets {clip} --attack fgsm --norm l2")
    yield case(
        "maximise",
        f"maximise {{clip}} {FEW}",
        f"maximise {{clip}} {FEW} --label 3 --start noise --distance nmr",
        f"maximise {{clip}} {FEW} --label 3 --start silence --survivors comma",
        drawn=True,
    )


def file_cases() -> Iterator[Case]:
    """Reports and sounds that are written."""
    written = "--output {folder}/sound.wav --report {folder}/report.json --json"
    fixed = "--attack pgd --steps 3 --no-random-start"
    for name, command, drawn in (
        ("attack", f"attack {{clip}} {fixed} {written}", False),
        ("attack-pcm24", f"attack {{clip}} {fixed} {written} --subtype PCM_24", False),
        ("noise", f"noise {{clip}} --sigma 0.01 {written}", True),
        ("maximise", f"maximise {{clip}} {FEW} {written}", True),
    ):
        yield Case("files", name, [command], ["report.json", "sound.wav"], drawn)
    for name, command, drawn in (
        ("attack-rows", f"attack {DATA} {fixed} --level-db -60 --level-db -30", False),
        ("attack-rows-drawn", f"attack {DATA} --steps 3 --target random --level-db -30", True),
        ("smallest-rows", f"attack {DATA} --attack fgsm --smallest --level-db -50", False),
        ("minimising-rows", f"attack {DATA} --attack deepfool --steps 20", False),
        ("verify-rows", f"verify {DATA} {IBP} --level-db -90 --level-db -60", False),
    ):
        resumed = f"{command} --resume {{folder}}/rows.jsonl"
        yield Case("files", name, [resumed, resumed], ["rows.jsonl"], drawn)


def data_cases() -> Iterator[Case]:
    """Every verb on a data set."""

    def case(name: str, *commands: str, drawn: bool = False) -> Case:
        return Case("data", name, [f"{one} {DATA}" for one in commands], (), drawn)

    fixed = "--attack pgd --steps 3 --no-random-start"
    yield case("predict", "predict", "predict --classifier digits-lstm --skip-unreadable")
    yield case(
        "attack",
        f"attack {fixed}",
        f"attack {fixed} --norm l2 --level-db -50 --level-db -30",
        f"attack {fixed} --norm masking",
        "attack --attack fgsm --representation log_mel --level-db -40",
        "attack --attack fgsm --representation magnitude --level-db -40",
        f"attack {fixed} --survive-rounding --level-db -40",
    )
    yield case(
        "smallest",
        "attack --attack fgsm --smallest",
        "attack --attack fgsm --smallest --norm masking",
        "attack --attack fgsm --smallest --representation log_mel",
        "attack --attack deepfool --steps 20 --level-db -20",
    )
    yield case(
        "drawn",
        "attack --steps 3 --target random --level-db -40",
        "attack --attack cw --steps 10 --searches 1 --norm l2 --level-db -10",
        "noise --sigma 0.001 --sigma 0.01",
        "noise --sigma 0.01 --representation log_mel",
        f"certify --classifier digits-cnn-noise --sigma 0.05 {SMALL}",
        f"certify --sigma 0.01 {SMALL} --radius 0.01 --radius 0.02",
        drawn=True,
    )
    yield case(
        "verify",
        f"verify {IBP}",
        f"verify {IBP} --norm l2 --method crown --level-db -80",
        f"verify {IBP} --norm masking",
    )


def listening_cases() -> Iterator[Case]:
    """A study of every procedure: what simulated listeners answer, and what it shows."""
    for kind, procedure in PROCEDURES.items():
        text = STUDY.format(procedure=procedure, screening="none")
        simulated = (
            "listen simulate {folder}/study.yaml --listeners 3 --threshold -42 --between 3 --seed 5"
        )
        yield Case(
            "listening",
            kind,
            [
                f"{simulated} --store {{folder}}/store --json",
                "listen analyse {folder}/store --output {folder}/out --json",
            ],
            TABLES,
            texts={"study.yaml": text},
        )
    quest = STUDY.format(procedure=PROCEDURES["quest"], screening="none")
    text = "\n".join(line for line in quest.splitlines() if "two-slt" not in line)
    simulated = "listen simulate {folder}/study.yaml --listeners 3 --store {folder}/store --json"
    analysed = "listen analyse {folder}/store --output {folder}/out --json"
    ruler = f"ruler {{clip}} {IBP} {SMALL} --json --heard {{folder}}/out"
    named = text.replace("name: seven,", "name: seven-slt,")  # as the file is called
    heard = [simulated, analysed, f"{ruler}/rows.json", f"{ruler}/analysis.json"]
    yield Case("listening", "heard", heard, drawn=True, texts={"study.yaml": named})
    yield Case("listening", "stored", [analysed], TABLES, stored=True)
    purged = [simulated, "listen purge {folder}/store --json"]
    purged += ["listen purge {folder}/store --study {token} --json"]
    yield Case("listening", "purge", purged, texts={"study.yaml": text})


def error_cases() -> Iterator[Case]:
    """Wrong calls: what they exit with; and the flags of every verb."""
    wrong = (
        "", "nonsense", "predict", "predict no-such.wav", "predict {clip} --no-such-flag",
        "predict {clip} --dataset bundled-digits", "predict {clip} --classifier nobody",
        "predict --dataset nothing", "predict {clip} --limit 3", "attack {clip} --attack nothing",
        "attack {clip} --norm l7", "attack {clip} --target 11", "attack {clip} --target 7",
        "attack {clip} --representation nothing", "attack {clip} --level-db nan",
        "attack {clip} --level-db -10 --level-db -20", "attack {clip} --attack fgsm --steps 3",
        "attack {clip} --resume {folder}/rows.jsonl", "attack {clip} --output {folder}/x.mp3",
        "attack {clip} --report {clip}", "attack --dataset bundled-digits --target 3",
        "attack {clip} --seed -1", "noise {clip} --sigma -1", "verify {clip} --method guess",
        "certify {clip} --n 0", "certify {clip} --radius 1", "ruler --dataset bundled-digits",
        "ruler {clip} --heard no-such.json", "targets --dataset bundled-digits",
        "maximise {clip} --label eleven", "listen", "listen analyse no-such-store",
        "listen simulate no-such.yaml", "listen purge no-such-store",
    )  # fmt: skip
    yield Case("errors", "wrong-calls", [f"{command} --json" for command in wrong])
    verbs = (
        "app", "classifiers", "predict", "attack", "noise", "verify", "certify", "ruler",
        "targets", "maximise", "train", "table", "download", "listen serve", "listen analyse",
        "listen purge", "listen simulate",
    )  # fmt: skip
    yield Case("errors", "flags", [f"{verb} --help" for verb in verbs])


CASES = [
    *clip_cases(), *file_cases(), *data_cases(), *listening_cases(), *error_cases(),
    Case("served", "abx", ()),
]  # fmt: skip

if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    record(sys.argv[1:])
