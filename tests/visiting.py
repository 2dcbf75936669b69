"""Visitors of a served app without a browser: what a page sends, from an address of their own.

Loopback has as many addresses as anybody needs (127.0.0.2, 127.0.0.3, ...): to the server each is
another visitor's. Used by tests and by benchmarks.
"""

import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx

API = "/gradio_api"
PATIENCE_S = 120.0  # for any answer, unless another is named


class Refused(Exception):
    """The server's answer to what it does not do: its status and its sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(f"{status}: {sentence}")
        self.status, self.sentence = status, sentence


def client_at(url: str, address: str, patience_s: float = PATIENCE_S) -> httpx.Client:
    """A client whose requests come from `address`, and which no proxy of the environment serves."""
    transport = httpx.HTTPTransport(local_address=address)
    return httpx.Client(base_url=url, transport=transport, timeout=patience_s)


class Tab:
    """One tab with the app's page. Its widgets have their first values until they are `put`."""

    def __init__(
        self, url: str, address: str = "127.0.0.1", patience_s: float = PATIENCE_S
    ) -> None:
        self.address, self.session = address, secrets.token_hex(8)
        self.client, self.patience_s = client_at(url, address, patience_s), patience_s
        self.put: dict[str, Any] = {}

    def __enter__(self) -> "Tab":
        return self

    def __exit__(self, *error: object) -> None:
        self.client.close()

    def again(self) -> "Tab":
        """Another tab of the same visitor, whose widgets say the same."""
        other = Tab(str(self.client.base_url), self.address, self.patience_s)
        other.config, other.put = self.config, {**self.put}
        return other

    @contextmanager
    def stays(self) -> Iterator[None]:
        """The tab is open: what lives on the server of it begins to age when the block ends."""
        opened, left = threading.Event(), threading.Event()

        def stay() -> None:
            with (
                suppress(httpx.HTTPError),
                client_at(str(self.client.base_url), self.address) as client,
                client.stream("GET", f"{API}/heartbeat/{self.session}") as beats,
            ):
                opened.set()
                for _ in beats.iter_lines():
                    if left.is_set():
                        return

        beating = threading.Thread(target=stay, daemon=True)
        beating.start()
        opened.wait(self.patience_s)
        yield
        left.set()

    @cached_property
    def config(self) -> dict[str, Any]:
        """What the page tells the browser of its widgets and events."""
        return checked(self.client.get("/config")).json()

    @cached_property
    def widgets(self) -> dict[int, dict[str, Any]]:
        return {widget["id"]: widget for widget in self.config["components"]}

    def named(self, elem_id: str) -> set[int]:
        return {i for i, w in self.widgets.items() if w["props"].get("elem_id") == elem_id}

    def event(self, elem_id: str, kind: str = "click") -> dict[str, Any]:
        """The handler of an event of a widget; of several, the one that reads most."""
        ids = self.named(elem_id)
        events = [
            event for event in self.config["dependencies"]
            if event["backend_fn"] and any(i in ids and k == kind for i, k in event["targets"])
        ]  # fmt: skip
        return max(events, key=lambda event: len(event["inputs"]))

    @property
    def at_load(self) -> list[dict[str, Any]]:
        """The handlers that run when a page is loaded."""
        return [
            event for event in self.config["dependencies"]
            if event["backend_fn"] and "load" in [kind for _, kind in event["targets"]]
        ]  # fmt: skip

    def event_into(self, elem_id: str) -> dict[str, Any]:
        """The handler that runs when a page is loaded and writes into a widget."""
        return next(event for event in self.at_load if self.named(elem_id) & {*event["outputs"]})

    def values(self, event: dict[str, Any]) -> list:
        """Its inputs; those that live on the server are not sent."""
        return [
            self.put.get(w["props"].get("elem_id", ""), w["props"].get("value"))
            for w in (self.widgets[i] for i in event["inputs"])
        ]

    def asked(self, event: dict[str, Any]) -> dict[str, Any]:
        return {
            "data": self.values(event), "fn_index": event["id"], "session_hash": self.session,
            "event_data": None, "trigger_id": event["targets"][0][0],
        }  # fmt: skip

    def join(self, event: dict[str, Any]) -> str:
        """Puts an event into the queue; returns its name there. Nobody listens for its answer.

        Raises:
            Refused: if it may not wait there.
        """
        told = checked(self.client.post(f"{API}/queue/join", json=self.asked(event))).json()
        return told["event_id"]

    def messages(self) -> Iterator[dict[str, Any]]:
        """What the server says of this tab's events until all have ended.

        Raises:
            httpx.ReadTimeout: where they have not after `patience_s`.
        """
        told, until = {"session_hash": self.session}, time.monotonic() + self.patience_s
        with self.client.stream("GET", f"{API}/queue/data", params=told) as stream:
            if stream.is_error:
                stream.read()
            for line in checked(stream).iter_lines():
                if time.monotonic() > until:
                    raise httpx.ReadTimeout(f"no result after {self.patience_s:g} s")
                if line.startswith("data:"):
                    yield json.loads(line[5:])

    def run(self, event: dict[str, Any]) -> list:
        """Does what the event does in a page, and returns the values of its outputs.

        Raises:
            Refused: with the sentence that a visitor would read.
        """
        shown = None
        if not event["queue"]:
            answer = self.client.post(f"{API}/run/predict", json=self.asked(event))
            return checked(answer).json()["data"]
        waited = self.join(event)
        for message in self.messages():
            if message.get("event_id") != waited:
                continue
            output = message.get("output") or {}
            if message["msg"] == "process_generating" and shown is None:
                shown = output.get("data")  # what follows are differences to it
            if message["msg"] == "process_completed":
                if not message["success"]:
                    raise Refused(500, str(output.get("error")))
                return output.get("data") or shown or []
        raise Refused(500, "the stream ended before the event did.")

    def click(self, elem_id: str, kind: str = "click") -> list:
        return self.run(self.event(elem_id, kind))

    def load(self) -> None:
        """What happens at once when the page opens: fields get what they offer."""
        for event in self.at_load:
            if not event["queue"]:
                self.run(event)

    def heard(self) -> str:
        """The words on what the classifier hears."""
        return str(self.run(self.event_into("prediction"))[0])

    def upload(self, path: Path, name: str | None = None) -> dict[str, Any]:
        """Sends a file; returns it as a value of a widget.

        Raises:
            Refused: if the server does not take it.
        """
        with path.open("rb") as file:
            files = {"files": (name or path.name, file, "application/octet-stream")}
            answer = self.client.post(f"{API}/upload", files=files)
        (place,) = checked(answer).json()
        return {
            "path": place, "orig_name": name or path.name, "size": path.stat().st_size,
            "meta": {"_type": "gradio.FileData"},
        }  # fmt: skip


class Listener:
    """Who takes a listening test: `open_page`, `check_in`, then an `answer` to each trial."""

    def __init__(
        self, url: str, token: str, address: str = "127.0.0.1", patience_s: float = PATIENCE_S
    ) -> None:
        self.client, self.home = client_at(url, address, patience_s), f"/listen/{token}"
        self.trial: dict[str, Any] | None = None

    def get(self, path: str) -> httpx.Response:
        return checked(self.client.get(self.home + path))

    def post(self, path: str, **told: Any) -> dict[str, Any]:
        state = checked(self.client.post(self.home + path, json=told)).json()
        self.trial = state.get("trial")
        return state

    def open_page(self) -> None:
        self.get("")
        self.get("/study")

    def check_in(self) -> None:
        """Consent, the number of beeps (by trying), the headphone test (left), the level."""
        state = self.post("/start", agreed=True)
        self.client.headers["X-Listener"] = state["code"]
        self.get("/check/beeps/0")
        for beeps in range(2, 6):
            with suppress(Refused):
                state = self.post("/sound", beeps=beeps, sample_rate=48_000, device="headphones")
                break
        if state["step"] == "screening":
            for question in range(6):
                self.get(f"/check/screening/{question}")
            self.post("/screening", answers=[0] * 6)
            self.post("/unscreened")
        self.get("/check/level/0")
        self.post("/level", gain_db=-20)

    def answer(self) -> None:
        """Hears the sounds of a trial, and says the first."""
        assert self.trial is not None
        for place in range(self.trial["sounds"]):
            self.get(f"/trial/{self.trial['number']}/{place}")
        how = {"response_time_s": 1.0, "plays": 3, "switches": 2}
        self.post("/answer", trial=self.trial["number"], answer=0, **how)


def checked(answer: httpx.Response) -> httpx.Response:
    """The answer, if it is one.

    Raises:
        Refused: otherwise.
    """
    if answer.is_success:
        return answer
    try:
        told = answer.json()
        sentence = told.get("error") or told.get("detail") or answer.text
    except (ValueError, AttributeError):
        sentence = answer.text
    raise Refused(answer.status_code, str(sentence))
