"""From nothing to a served page: where it cannot be served is said before anything is loaded."""

import socket
import sys

import httpx
import pytest

from robustaudio.cli import main
from robustaudio.serving.serve import Serving
from robustaudio.ui import launch as launching
from robustaudio.ui.launch import launch


@pytest.mark.parametrize(
    "host, port, sentence",
    [
        ("8.8.8.8", None, "nothing can be served at 8.8.8.8"),
        ("8.8.8.8", 7999, "nothing can be served at 8.8.8.8, port 7999: "),
        ("no-such-name.invalid", 7999, "nothing can be served at no-such-name.invalid, port 7999"),
        ("x" * 80 + ".invalid", 7999, "nothing can be served at x"),
        ("127.0.0.1", 70_000, "must be from 0"),
    ],
)
def test_where_nothing_can_be_served_is_said_before_anything_is_loaded(
    monkeypatch, host, port, sentence
):
    monkeypatch.setattr(launching, "load_services", lambda *_: pytest.fail("loaded"))
    with pytest.raises(ValueError) as error:
        launch(host, port, block=False, quiet=True)
    assert str(error.value).startswith((sentence, f"--port {port} {sentence}"))
    assert "\n" not in str(error.value)


def test_a_port_that_is_taken_is_named(monkeypatch, capsys):
    monkeypatch.setattr(launching, "load_services", lambda *_: pytest.fail("loaded"))
    monkeypatch.setattr(sys, "stdout", sys.__stdout__)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ValueError, match=f"port {port}: .*in use"):
            launch("127.0.0.1", port, block=False, quiet=True)


def ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not ipv6(), reason="this machine has no IPv6")
def test_the_page_is_served_by_ipv6(monkeypatch, capsys):
    monkeypatch.setenv("ROBUSTAUDIO_LISTENING", "memory:")
    page = launch("::1", 0, block=False)
    try:
        assert f"http://[::1]:{page.server_port}" in capsys.readouterr().out
        assert page.server_port and httpx.get(page.local_url).status_code == 200
        refused = httpx.get(page.local_url, headers={"Host": "evil.example"})
        assert refused.status_code == 421
    finally:
        page.close()


@pytest.mark.parametrize("option", [["--allowed-host", "a b"], ["--frame", "lab.example.org"]])
def test_a_name_that_cannot_be_is_said(option, capsys):
    with pytest.raises(SystemExit):
        sys.exit(main(["app", *option]))
    assert "would be right" in capsys.readouterr().err


@pytest.mark.browser
def test_a_site_that_is_named_may_frame_the_page(browser, monkeypatch):
    monkeypatch.setenv("ROBUSTAUDIO_LISTENING", "memory:")
    served = launch(block=False, quiet=True, port=0, serving=Serving(frames=("https://lab.test",)))
    try:
        policy = httpx.get(served.local_url).headers["content-security-policy"]
        assert "frame-ancestors 'self' https://lab.test;" in policy
    finally:
        served.close()
