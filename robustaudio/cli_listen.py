"""The verb `listen`: serve a study, analyse what it found, plan its size by simulation."""

import argparse
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from robustaudio.listening.rooms import Rooms
from robustaudio.listening.server import application
from robustaudio.listening.store import MemoryStore, Store, open_store
from robustaudio.listening.study_file import load_study

STORE = "runs/listening"


def add_listen(verb: Callable[..., argparse.ArgumentParser]) -> None:
    """Adds `listen-serve` and its kin by the function that makes a command of the program."""
    serve = verb("serve", run_serve, "Serve a study's listening test to anyone with its link.")
    serve.add_argument("study", type=Path, help="YAML or JSON; see assets/studies")
    serve.add_argument("--host", default="127.0.0.1", help="0.0.0.0 lets other machines in")
    serve.add_argument("--port", type=int, default=7870)
    serve.add_argument("--hours", type=float, help="until the answers are deleted")
    serve.add_argument("--demo", action="store_true", help="store nothing at all")
    _add_store(serve)


def run_serve(arguments: argparse.Namespace) -> dict:
    """Serves until it is stopped; the links come first, on stderr."""
    import uvicorn

    store: Store = MemoryStore() if arguments.demo else open_store(arguments.store)
    rooms = Rooms(store)
    room, key = rooms.open(load_study(arguments.study), arguments.hours)
    home = f"http://{_reachable(arguments.host)}:{arguments.port}/listen/{room.token}"
    _log(f"listeners  {home}")
    _log(f"teacher    {home}/teacher#{key}")
    stop = rooms.keep_purging()
    uvicorn.run(
        application(rooms), host=arguments.host, port=arguments.port, log_level="warning",
        access_log=False, server_header=False,
    )  # fmt: skip
    stop()
    sessions = room.sessions().values()
    return {
        "study": room.token,
        "listeners": len(sessions),
        "finished": sum(session.ended for session in sessions),
        "answers": sum(len(session.responses) for session in sessions),
    }


def _add_store(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--store", default=STORE,
        help=f"folder, sqlite:///FILE, postgresql+psycopg://…, hub://OWNER/DATASET ({STORE})",
    )  # fmt: skip


def _reachable(host: str) -> str:
    """The name under which other machines find this one, where it listens to all."""
    return socket.gethostname() if host in ("0.0.0.0", "::") else host


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
