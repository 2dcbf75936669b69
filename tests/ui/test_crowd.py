"""One visitor who takes all that there is, and what the others wait meanwhile."""

import json
import sys
import time
from itertools import count

import pytest
from crowding import (
    GREEDY,
    HOME,
    SESSIONS,
    UPLOAD_MB,
    Served,
    Visit,
    greedy,
    medians,
    open_test,
    served,
    visit,
)
from visiting import Tab

from robustaudio.serving.limits import Limits

CLIP = HOME / "assets" / "clips" / "nine-slt.wav"
ROUNDS = 3  # of visits, before and meanwhile
CROWD_S = 40.0  # how long the greedy visitor may go on, at most
AS_LONG, SLACK_S = (
    2.0,
    1.5,
)  # a wait may be so many times the idle one, and what a busy machine adds
MEMORY_MB = 1_000  # that the server's process may grow by
KNOWN_MB = 100  # on disk, beside uploads: answers, results, scratch

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="one visitor's other addresses are Linux' (127.0.0.2)"
)


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    with served(tmp_path_factory.mktemp("crowd"), "--public") as app:
        yield app


@pytest.fixture(scope="module")
def token(app) -> str:
    """Of a listening test that somebody has opened, and whose link everybody has."""
    with Tab(app.url, "127.0.0.4") as owner:
        return open_test(owner)


def test_nobody_waits_long_beside_one_who_takes_all(app: Served, token, capsys):
    """Every other visitor has an address of their own (127.0.1.1, 127.0.1.2, ...)."""
    places = count(1)

    def visitor() -> Visit:
        return visit(app.url, token, f"127.0.1.{next(places)}", CLIP)

    visitor()  # whoever comes first waits for caches that are filled
    idle = [visitor() for _ in range(ROUNDS)]
    memory_mb, began, meanwhile = app.memory_mb(), time.monotonic(), []
    with greedy(app.url, token, app.folder) as process:
        time.sleep(1)
        while len(meanwhile) < ROUNDS or (
            process.poll() is None and time.monotonic() < began + CROWD_S
        ):
            meanwhile.append(visitor())
        process.terminate()
        told = json.loads(process.communicate()[0])
    grown_mb = app.memory_mb("VmHWM") - memory_mb
    before, crowded = medians(idle), medians(meanwhile)
    with capsys.disabled():
        print(f"\n{'seconds':<20}{'idle':>8}{'crowd':>8}")
        for name, wait in before.items():
            print(f"{name:<20}{wait:>8.2f}{crowded[name]:>8.2f}")
        print(f"{len(meanwhile)} visits meanwhile, {time.monotonic() - began:.0f} s; memory "
              f"+{grown_mb:.0f} MB; {json.dumps(told)}")  # fmt: skip
    assert [refusal for one in meanwhile for refusal in one.refusals] == []
    for name, wait in before.items():
        assert crowded[name] <= AS_LONG * wait + SLACK_S, name
    limits = Limits()
    assert grown_mb < MEMORY_MB
    assert app.disk_mb() < limits.address_uploads_mb + KNOWN_MB
    assert told["listening tests"].get("done", 0) <= limits.address_studies
    assert told["uploads"].get("done", 0) * UPLOAD_MB <= limits.address_uploads_mb
    assert told["sessions"].get("done", 0) < SESSIONS
    assert {"heavy runs", "wide clip", "predictions"} <= told.keys()
    assert GREEDY not in (app.folder / "server.log").read_text()
