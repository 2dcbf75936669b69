"""The address under which others reach a study."""

import pytest

from robustaudio.listening.web import http


@pytest.mark.parametrize(
    ("host", "routed", "reachable"),
    [
        ("127.0.0.1", None, "127.0.0.1"),
        ("::1", None, "[::1]"),
        ("0.0.0.0", "192.168.7.9", "192.168.7.9"),
        ("::", "fd00::9", "[fd00::9]"),
        ("0.0.0.0", None, "this-host"),
    ],
)
def test_the_printed_link_holds_an_address_of_the_network(host, routed, reachable, monkeypatch):
    class Probe:
        def __init__(self, family, kind) -> None:
            assert kind == http.socket.SOCK_DGRAM  # whose connect sends nothing

        def __enter__(self):
            return self

        def __exit__(self, *_) -> None: ...

        def connect(self, _) -> None:
            if routed is None:
                raise OSError("Network is unreachable")

        def getsockname(self):
            return routed, 40_000

    monkeypatch.setattr(http.socket, "socket", Probe)
    monkeypatch.setattr(http.socket, "gethostname", lambda: "this-host")
    assert http.reachable(host) == reachable
