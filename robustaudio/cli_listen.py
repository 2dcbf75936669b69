"""What the verbs of `listen` do: serve a study, analyse what it found, delete it, plan its size."""

import argparse
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from robustaudio.doors import reason
from robustaudio.gate import Gate, Rules
from robustaudio.gate.hosts import Hosts
from robustaudio.limits import limits_of
from robustaudio.listening.analysis.by_paradigm import GradeResult, ScoreResult, ThresholdResult
from robustaudio.listening.analysis.thresholds import SIGNS
from robustaudio.listening.design.study_file import load_study
from robustaudio.listening.run import export
from robustaudio.listening.run.admission import MOST_LISTENERS
from robustaudio.listening.run.host import Host
from robustaudio.listening.run.open_store import open_store
from robustaudio.listening.run.open_study import OpenStudy
from robustaudio.listening.run.purge import NO_STUDY_OF, NOT_READ
from robustaudio.listening.run.store import FOLDER
from robustaudio.listening.simulated_listeners import Listener, panel
from robustaudio.listening.simulated_study import simulate
from robustaudio.listening.web.charts import psychometric
from robustaudio.listening.web.feedback import Pooled, pooled
from robustaudio.listening.web.http import reachable
from robustaudio.listening.web.listener_routes import application
from robustaudio.plain_json import as_json
from robustaudio.serving import WARNING, BehindPrefix, bound, serving_of


def run_serve(arguments: argparse.Namespace) -> dict:
    """Serves until it is stopped; the links come first, on stderr."""
    import uvicorn

    serving = serving_of(arguments)
    study = load_study(arguments.study)
    keyfile, certfile = serving.files([reachable(arguments.host)])
    limits = limits_of(arguments)
    kept = FOLDER if arguments.store is None else arguments.store
    rooms = Host(open_store("memory:" if arguments.demo else kept), limits)
    with bound(arguments.host, arguments.port) as listening:  # a link that is printed works
        room, key = rooms.open(study, arguments.hours, resume=True)
        port = listening.getsockname()[1]
        home = f"{serving.home(reachable(arguments.host), port)}/listen/{room.token}"
        _log(f"listeners  {home}")
        _log(f"teacher    {home}/teacher#{key}")
        _log(f"until      {room.expires:%Y-%m-%d %H:%M} UTC, then all answers are deleted")
        if serving.self_signed:
            _log(WARNING)
        stop = rooms.keep_purging()
        hosts = Hosts(arguments.host, serving.origin, serving.root_path, serving.hosts)
        rules = Rules(limits, hosts, serving.frames)
        config = uvicorn.Config(
            Gate(BehindPrefix(application(rooms), serving.root_path), rules),
            log_level="warning", access_log=False, server_header=False, proxy_headers=False,
            ssl_keyfile=keyfile, ssl_certfile=certfile,
        )  # fmt: skip
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run([listening])
        stop()
    sessions = room.sessions().values()
    return {
        "study": room.token,
        "listeners": len(sessions),
        "finished": sum(session.ended for session in sessions),
        "answers": sum(len(session.responses) for session in sessions),
    }


def run_analyse(arguments: argparse.Namespace) -> dict:
    """Counts and results of one study; with a folder, its tables, figures and JSON as well."""
    room = _only_room(Host(open_store(arguments.store, create=False)), arguments.study)
    found = pooled(room)
    if arguments.output:
        try:
            _write(arguments.output, room, found)
        except OSError as error:  # full, say: it says so of no file
            raise ValueError(f"{arguments.output} cannot be written: {reason(error)}.") from error
    for words in filter(None, (found.damage, found.closed)):
        _log(words)
    if arguments.json:
        return found.to_json()
    results = [_told(result) for result in found.analysis.results]
    told = ("title", "begun", "simulated", "finished", "answers", "unscreened", "wireless")
    counts = {**{key: getattr(found, key) for key in told}, "damaged": len(found.damaged)}
    counts["unreadable"] = found.unreadable
    return {**counts, "excluded": len(found.analysis.excluded), "results": results}


def run_purge(arguments: argparse.Namespace) -> dict:
    """What a server does every minute, where none runs; or one study, whatever its state.

    A server looks at its clock many times before it believes it, and this command once. So it
    deletes only if the last answer is less than two days old, or if somebody says that the clock
    is right.
    """
    rooms = Host(open_store(arguments.store, create=False))
    if arguments.study is not None:
        if arguments.study not in {*rooms.store.studies(), *rooms.store.orphans()}:
            raise ValueError(f"there is no study {arguments.study} in the store.")
        rooms.close(arguments.study)
        return {"deleted": [arguments.study]}
    if arguments.clock_is_right:
        rooms.clocks.believe()
    closed, left = rooms.purge()
    if left:
        raise ValueError(f"{', '.join(left)} could not be deleted; try again.")
    now = datetime.now(UTC)
    if over := [token for token, end in rooms.charters.ends().items() if end <= now]:
        raise ValueError(
            f"{', '.join(over)}: over by this computer's clock ({now:%Y-%m-%d %H:%M} UTC), but its "
            "last answer is days away; if the clock is right, add --clock-is-right."
        )
    kept = rooms.charters.quarantined()
    return {"deleted": closed, "kept": kept} if kept else {"deleted": closed}


def run_simulate(arguments: argparse.Namespace) -> dict:
    if not 1 <= arguments.listeners <= MOST_LISTENERS:
        raise ValueError(f"--listeners {arguments.listeners} must be from 1 to {MOST_LISTENERS}.")
    typical = Listener(arguments.threshold, arguments.spread, arguments.lapse)
    people = panel(arguments.listeners, typical, arguments.between, arguments.seed)
    store = open_store("memory:" if arguments.store is None else arguments.store)
    room, _ = Host(store).open(load_study(arguments.study))
    about = {"threshold_db": arguments.threshold, "spread_db": arguments.spread}
    return {**about, "lapse": arguments.lapse, **simulate(room, people, arguments.seed)}


def _only_room(rooms: Host, token: str | None) -> OpenStudy:
    """The study that is meant; those that are over or damaged are named, and not read."""
    ends, doubtful = rooms.charters.ends(), rooms.charters.quarantined()
    for broken in sorted({*rooms.store.studies()} - {*ends, *doubtful}):
        _log(f"study {broken} is left out: it cannot be read.")
    for orphan in rooms.store.orphans():
        _log(f"study {orphan} is left out: {NO_STUDY_OF} (listen purge).")
    for other in rooms.store.others():
        _log(f"{other!r} {NOT_READ}.")
    for over in [one for one, end in ends.items() if end <= datetime.now(UTC)]:
        _log(f"study {over} ended at {ends.pop(over):%Y-%m-%d %H:%M} UTC and is not read.")
    known = [*ends, *doubtful]
    for other in known.copy() if token is None else []:
        try:
            rooms.find_for_owner(other)
        except (OSError, ValueError, LookupError) as error:
            _log(f"study {other} is left out: {error}")
            known.remove(other)
    certain = [one for one in known if one in ends]
    for candidates in (certain, known):
        if token is None and len(candidates) == 1:
            return rooms.find_for_owner(*candidates)
    if token in known:
        return rooms.find_for_owner(token)
    names = f"open are {', '.join(known)}" if known else "none is open"
    raise ValueError(f"say which study of the store by --study TOKEN; {names}.")


def _write(folder: Path, room: OpenStudy, found: Pooled) -> None:
    """rows.csv, rows.json, analysis.json, and the curve of every condition that has one."""
    folder.mkdir(parents=True, exist_ok=True)
    table = export.tidy(room)
    (folder / "rows.csv").write_bytes(export.as_csv(table).encode(export.CSV_ENCODING))
    (folder / "rows.json").write_text(export.as_json(room, table), "utf-8")
    (folder / "analysis.json").write_text(as_json(found.to_json(), indent=1), "utf-8")
    drawn = [one for one in found.analysis.results if isinstance(one, ThresholdResult)]
    for number, result in enumerate(drawn):
        (folder / f"curve-{number + 1}.svg").write_text(psychometric(result), "utf-8")


def _told(result: ScoreResult | ThresholdResult | GradeResult) -> dict:
    """The line of a result in a table."""
    line = {"condition": str(result.condition), "paradigm": result.paradigm.name}
    match result:
        case ThresholdResult():
            at = result.thresholds.correct_79
            level, low, high = (at.level_db, at.lower_db, at.upper_db) if at else (None,) * 3
            shown = (SIGNS[at.sign] if at else "") + _shown_db(level)
            line |= {"listeners": result.count, "threshold_db": shown}
            return line | {"lower_db": _shown_db(low), "upper_db": _shown_db(high)}
        case ScoreResult(group=group):
            counts = {"correct": group.correct, "trials": group.trials, "p": group.p}
            return line | {"level_db": result.level_db} | counts
        case GradeResult(group=mean):
            level = {"level_db": result.level_db, "mean": mean.mean}
            return line | level | {"lower": mean.lower, "upper": mean.upper}


def _shown_db(level_db: float | None) -> str:
    return "-" if level_db is None else f"{level_db:.1f}"


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
