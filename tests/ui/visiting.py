"""A visitor without a browser: what the page's own script says to the server, over HTTP."""

import json
import secrets
from collections.abc import Iterator
from typing import Any

import httpx

API = "gradio_api"


class Visiting:
    """One session from one source address; loopback has many, which stand for many visitors."""

    def __init__(self, url: str, address: str = "127.0.0.1", session: str = ""):
        transport = httpx.HTTPTransport(local_address=address)
        self.http = httpx.Client(base_url=url, transport=transport, timeout=120)
        self.session = session or secrets.token_hex(6)
        self.config = self.http.get("/config").json()
        self.components = {one["id"]: one for one in self.config["components"]}

    def handler(self, elem_id: str, event: str = "click", queued: bool = True) -> dict:
        """The dependency that runs on the server when that event happens."""
        ids = [i for i, one in self.components.items() if one["props"].get("elem_id") == elem_id]
        return next(
            one
            for one in self.config["dependencies"]
            if [ids[0], event] in [[*target] for target in one["targets"]]
            and one["backend_fn"]
            and one["queue"] == queued
        )

    def data(self, handler: dict, changes: dict[str, Any]) -> list:
        """What its inputs begin with, but for changes by elem_id."""
        values = []
        for number in handler["inputs"]:
            props = self.components[number]["props"]
            values.append(changes.get(props.get("elem_id"), props.get("value")))
        return values

    def load(self) -> None:
        """What happens at once when the page opens: fields get what they offer."""
        for one in self.config["dependencies"]:
            if any(target[1] == "load" for target in one["targets"]) and not one["queue"]:
                asked = {
                    "data": self.data(one, {}), "fn_index": one["id"], "session_hash": self.session,
                }  # fmt: skip
                if one["backend_fn"]:
                    self.http.post(f"/{API}/run/predict", json=asked).raise_for_status()

    def join(self, elem_id: str, session: str = "", **changes: Any) -> httpx.Response:
        """Asks for a run, and does not listen."""
        handler = self.handler(elem_id)
        asked = {
            "data": self.data(handler, changes), "fn_index": handler["id"], "event_data": None,
            "session_hash": session or self.session, "trigger_id": handler["targets"][0][0],
        }  # fmt: skip
        return self.http.post(f"/{API}/queue/join", json=asked)

    def messages(self) -> Iterator[dict]:
        """What the page is told, until all its runs have ended."""
        parameters = {"session_hash": self.session}
        with self.http.stream("GET", f"/{API}/queue/data", params=parameters) as stream:
            for line in stream.iter_lines():
                if line.startswith("data:"):
                    message = json.loads(line[5:])
                    if message["msg"] == "close_stream":
                        return
                    yield message

    def run(self, elem_id: str, **changes: Any) -> list[dict]:
        """One run from the click to its end."""
        self.join(elem_id, **changes).raise_for_status()
        return [*self.messages()]
