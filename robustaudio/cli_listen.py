"""What the verbs of `listen` do: serve a study, analyse what it found, delete it, plan its size."""

import argparse
import socket
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from robustaudio.doors import reason
from robustaudio.listening import rows
from robustaudio.listening.outcome import pooled
from robustaudio.listening.picture import psychometric
from robustaudio.listening.results import standing
from robustaudio.listening.room import MOST_LISTENERS, Room
from robustaudio.listening.rooms import Rooms
from robustaudio.listening.server import application
from robustaudio.listening.simulated import simulate
from robustaudio.listening.simulation import Listener, panel
from robustaudio.listening.store import FOLDER, open_store
from robustaudio.listening.study_file import load_study
from robustaudio.listening.thresholds import SIGNS
from robustaudio.listening.web import reachable
from robustaudio.plain_json import as_json
from robustaudio.serving import WARNING, BehindPrefix, serving_of


def run_serve(arguments: argparse.Namespace) -> dict:
    """Serves until it is stopped; the links come first, on stderr."""
    import uvicorn

    serving = serving_of(arguments)
    study = load_study(arguments.study)
    keyfile, certfile = serving.files([reachable(arguments.host)])
    kept = FOLDER if arguments.store is None else arguments.store
    rooms = Rooms(open_store("memory:" if arguments.demo else kept))
    with _bound(arguments.host, arguments.port) as listening:  # a link that is printed works
        room, key = rooms.open(study, arguments.hours, resume=True)
        port = listening.getsockname()[1]
        home = f"{serving.home(reachable(arguments.host), port)}/listen/{room.token}"
        _log(f"listeners  {home}")
        _log(f"teacher    {home}/teacher#{key}")
        _log(f"until      {room.expires:%Y-%m-%d %H:%M} UTC, then all answers are deleted")
        if serving.self_signed:
            _log(WARNING)
        stop = rooms.keep_purging()
        config = uvicorn.Config(
            BehindPrefix(application(rooms), serving.root_path),
            log_level="warning", access_log=False, server_header=False,
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
    room = _only_room(Rooms(open_store(arguments.store, create=False)), arguments.study)
    found = pooled(room)
    if arguments.output:
        try:
            _write(arguments.output, room, found)
        except OSError as error:  # full, say: it says so of no file
            raise ValueError(f"{arguments.output} cannot be written: {reason(error)}.") from error
    if found["damaged"]:
        _log(f"left out, for they cannot be read: the answers of {', '.join(found['damaged'])}.")
    if arguments.json:
        return found
    results = [_told(result) for result in found["analysis"]["results"]]
    told = ("title", "begun", "simulated", "finished", "answers", "unscreened", "wireless")
    counts = {**{key: found[key] for key in told}, "damaged": len(found["damaged"])}
    return {**counts, "excluded": len(found["analysis"]["excluded"]), "results": results}


def run_purge(arguments: argparse.Namespace) -> dict:
    """What a server does every minute, where none runs."""
    closed, left = Rooms(open_store(arguments.store, create=False)).purge()
    if left:
        raise ValueError(f"{', '.join(left)} could not be deleted; try again.")
    return {"deleted": closed}


def run_simulate(arguments: argparse.Namespace) -> dict:
    if not 1 <= arguments.listeners <= MOST_LISTENERS:
        raise ValueError(f"--listeners {arguments.listeners} must be from 1 to {MOST_LISTENERS}.")
    typical = Listener(arguments.threshold, arguments.spread, arguments.lapse)
    people = panel(arguments.listeners, typical, arguments.between, arguments.seed)
    store = open_store("memory:" if arguments.store is None else arguments.store)
    room, _ = Rooms(store).open(load_study(arguments.study))
    about = {"threshold_db": arguments.threshold, "spread_db": arguments.spread}
    return {**about, "lapse": arguments.lapse, **simulate(room, people, arguments.seed)}


def _only_room(rooms: Rooms, token: str | None) -> Room:
    """The study that is meant; those that are over or damaged are named, and not read."""
    ends = rooms.ends()
    for broken in sorted({*rooms.store.studies()} - {*ends}):
        _log(f"study {broken} is left out: when it ends cannot be read.")
    for over in [one for one, end in ends.items() if end <= datetime.now(UTC)]:
        _log(f"study {over} ended at {ends.pop(over):%Y-%m-%d %H:%M} UTC and is not read.")
    for other in [*ends] if token is None else []:
        try:
            rooms.room(other)
        except (OSError, ValueError, LookupError) as error:
            _log(f"study {other} is left out: {error}")
            del ends[other]
    if token is None and len(ends) == 1:
        return rooms.room(*ends)
    if token in ends:
        return rooms.room(str(token))
    known = f"open are {', '.join(ends)}" if ends else "none is open"
    raise ValueError(f"say which study of the store by --study TOKEN; {known}.")


def _write(folder: Path, room: Room, found: dict) -> None:
    """rows.csv, rows.json, analysis.json, and the curve of every condition that has one."""
    folder.mkdir(parents=True, exist_ok=True)
    table = rows.tidy(room)
    (folder / "rows.csv").write_bytes(rows.as_csv(table).encode(rows.CSV_ENCODING))
    (folder / "rows.json").write_text(rows.as_json(room, table), "utf-8")
    (folder / "analysis.json").write_text(as_json(found, indent=1), "utf-8")
    drawn = [one for one in found["analysis"]["results"] if "thresholds" in one["group"]]
    for number, result in enumerate(drawn):
        (folder / f"curve-{number + 1}.svg").write_text(psychometric(result), "utf-8")


def _told(result: dict) -> dict:
    """The line of a result in a table."""
    group = result["group"]
    line = {"condition": result["condition"], "paradigm": result["paradigm"]}
    if "thresholds" in group:
        at = standing(result)["thresholds"]["correct_79"] or {}
        level, *ends = (_shown_db(at.get(name)) for name in ("level_db", "lower_db", "upper_db"))
        shown = dict(zip(("lower_db", "upper_db"), ends, strict=True))
        bound = SIGNS[at.get("sign", "=")]
        return {**line, "listeners": group["listeners"], "threshold_db": bound + level, **shown}
    line |= {"level_db": result["level_db"]}
    if "p" in group and "correct" in group:
        return {**line, "correct": group["correct"], "trials": group["trials"], "p": group["p"]}
    return {**line, "mean": group["mean"], "lower": group["lower"], "upper": group["upper"]}


def _shown_db(level_db: float | None) -> str:
    return "-" if level_db is None else f"{level_db:.1f}"


def _bound(host: str, port: int) -> socket.socket:
    """A socket that listens there.

    Raises:
        ValueError: if nothing can.
    """
    if not 0 <= port <= 65_535:
        raise ValueError(f"--port {port} must be from 0 (any that is free) to 65535.")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ValueError(
            f"nothing can be served at {host}, port {port}: {error.strerror}."
        ) from error


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
