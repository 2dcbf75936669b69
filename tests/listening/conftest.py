"""A real PostgreSQL server of the tests' own, where its binaries are found; a listener."""

import getpass
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from listening.over_http import Listener
from listening.small_study import small_study

from robustaudio.listening.run.host import Host
from robustaudio.listening.run.json_lines import JsonLinesStore


def _postgres_binary(name: str) -> str | None:
    """The newest installed one: Debian keeps them off the PATH."""
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(installed[-1]) if installed else shutil.which(name)


def _unprivileged() -> dict:
    """PostgreSQL refuses to run as root: its own account does it then."""
    return {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory) -> Iterator[str]:
    initdb, server = _postgres_binary("initdb"), _postgres_binary("postgres")
    if initdb is None or server is None:
        pytest.skip("no PostgreSQL found: install it, or put its binaries on the PATH")
    folder = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    account = _unprivileged()
    if account:
        shutil.chown(folder, "postgres", "postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"cwd": folder, "stdout": subprocess.DEVNULL, **account}
    subprocess.run([initdb, "-D", folder / "data", "-A", "trust", "-N"], check=True, **common)
    options = ["-D", folder / "data", "-p", str(port), "-k", str(folder), "-h", "127.0.0.1"]
    running = subprocess.Popen([server, *options], stderr=subprocess.DEVNULL, **common)
    user = account.get("user", getpass.getuser())
    try:
        yield f"postgresql+psycopg://{user}@127.0.0.1:{port}/postgres"
    finally:
        running.send_signal(signal.SIGINT)  # do not wait for clients
        running.wait()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def rooms(tmp_path) -> Host:
    return Host(JsonLinesStore(tmp_path))


@pytest.fixture
def listener(rooms) -> Listener:
    room, _ = rooms.open(small_study())
    return Listener(rooms, room.token)
