"""A listener over HTTP, without a browser."""

from starlette.testclient import TestClient

from robustaudio.listening.run.headphones import beep_count
from robustaudio.listening.run.host import Host
from robustaudio.listening.run.session import session_of
from robustaudio.listening.web.listener_routes import application

HOW = {"response_time_s": 1.5, "plays": 2, "switches": 5}


class Listener:
    """A browser's half of the conversation, over HTTP."""

    def __init__(self, rooms: Host, token: str) -> None:
        self.rooms, self.token, self.code = rooms, token, ""
        self.client = TestClient(application(rooms))

    def get(self, path: str):
        return self.client.get(f"/listen/{self.token}/{path}", headers={"X-Listener": self.code})

    def post(self, path: str, **told):
        headers = {"X-Listener": self.code}
        return self.client.post(f"/listen/{self.token}/{path}", json=told, headers=headers)

    @property
    def session(self):
        return self.rooms.find(self.token).sessions()[session_of(self.code)]

    def begin(self) -> dict:
        self.code = self.post("start", agreed=True).json()["code"]
        beeps = beep_count(self.session.check_seed)
        self.post("sound", beeps=beeps, sample_rate=48000, device="headphones")
        return self.post("level", gain_db=-20).json()

    def answer(self, trial: int, answer=0):
        return self.post("answer", trial=trial, answer=answer, **HOW)

    def right(self) -> int:
        """What only the server knows."""
        return self.session.trial().right
