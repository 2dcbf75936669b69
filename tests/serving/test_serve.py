"""https and path prefixes: which files are taken, and what is made."""

import asyncio
import ipaddress
import os
import re
import socket
import ssl
import stat
import subprocess
import sys
from pathlib import Path

import apart
import httpx
import pytest
from cryptography import x509

from robustaudio.cli.app import App
from robustaudio.cli.main import read as command
from robustaudio.serving import serve
from robustaudio.serving.serve import Serving, bound, self_signed

HOME = Path(__file__).parents[2]


def read(*options: str) -> Serving:
    verb = command(["app", *options])
    assert isinstance(verb, App)
    return verb.serving()


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> tuple[Path, Path]:
    return self_signed(["localhost"], tmp_path_factory.mktemp("pair"))


@pytest.fixture(scope="module")
def other(tmp_path_factory) -> tuple[Path, Path]:
    return self_signed(["localhost"], tmp_path_factory.mktemp("other"))


def test_plain_http_is_the_default(monkeypatch):
    monkeypatch.delenv("GRADIO_ROOT_PATH", raising=False)
    assert read() == Serving() and read().files() == (None, None)
    assert read().home("127.0.0.1", 7860) == "http://127.0.0.1:7860"


def test_a_key_and_its_certificate_give_https(pair):
    given = read("--ssl-keyfile", str(pair[0]), "--ssl-certfile", str(pair[1]))
    assert given.files() == (str(pair[0]), str(pair[1]))
    assert given.home("lab", 7860) == "https://lab:7860"


@pytest.mark.parametrize(
    "options, sentence",
    [
        (["--ssl-keyfile", "KEY"], "--ssl-keyfile needs --ssl-certfile beside it"),
        (["--ssl-certfile", "CERT"], "--ssl-certfile needs --ssl-keyfile beside it"),
        (["--ssl-keyfile", "KEY", "--ssl-certfile", "CERT", "--self-signed"], "not both"),
        (
            ["--ssl-keyfile", "none.pem", "--ssl-certfile", "CERT"],
            "none.pem cannot be read",
        ),
        (["--ssl-keyfile", "KEY", "--ssl-certfile", "FOLDER"], "cannot be read: Is a directory"),
        (["--ssl-keyfile", "CERT", "--ssl-certfile", "CERT"], "holds no private key in PEM"),
        (["--ssl-keyfile", "KEY", "--ssl-certfile", "KEY"], "holds no certificate in PEM"),
        (["--ssl-keyfile", "KEY", "--ssl-certfile", "OTHER"], "does not fit the certificate"),
        (["--ssl-keyfile", "KEY", "--ssl-certfile", "DAMAGED"], "cannot be used"),
        (["--ssl-keyfile", "LOCKED", "--ssl-certfile", "CERT"], "needs a passphrase"),
        (["--ssl-keyfile", "EMPTY", "--ssl-certfile", "CERT"], "holds no private key"),
        (["--root-path", "ftp://a/b"], "/lab or https://lab.example.org/lab would be right"),
        (["--root-path", "/lab?x=1"], "is no path"),
        (["--root-path", "/a b"], "is no path"),
        (["--root-path", "/<script>"], "is no path"),
        (["--root-path", "https:///lab"], "is no path"),
    ],
)
def test_what_cannot_be_served_is_said_in_one_sentence(pair, other, tmp_path, options, sentence):
    from cryptography.hazmat.primitives import serialization as pem

    key, certificate = pair
    lines = certificate.read_text().splitlines()
    (tmp_path / "damaged").write_text("\n".join([lines[0], *lines[2:4], lines[-1]]))
    private = pem.load_pem_private_key(key.read_bytes(), None)
    locked = pem.BestAvailableEncryption(b"x")
    (tmp_path / "locked").write_bytes(
        private.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, locked)
    )
    (tmp_path / "empty").touch()
    paths = {"KEY": key, "CERT": certificate, "OTHER": other[1], "FOLDER": tmp_path}
    paths |= {name.upper(): tmp_path / name for name in ("damaged", "locked", "empty")}
    with pytest.raises(ValueError, match=sentence) as refused:
        read(*(str(paths.get(option, option)) for option in options))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("given", ["/lab", "lab", "/lab/", " /lab "])
def test_a_prefix_begins_with_a_slash_and_ends_without(given):
    assert read("--root-path", given).root_path == "/lab"


def test_the_root_path_may_be_a_whole_address_or_come_from_the_environment(monkeypatch):
    whole = read("--root-path", "https://lab.example.org/a/b/")
    assert (whole.root, whole.root_path) == ("https://lab.example.org/a/b", "/a/b")
    assert whole.home("127.0.0.1", 1) == "https://lab.example.org/a/b"
    monkeypatch.setenv("GRADIO_ROOT_PATH", "/space")
    assert read().root == "/space" and read("--root-path", "").root == ""


def test_the_app_refuses_a_bad_key_before_anything_heavy_is_loaded(tmp_path):
    script = (
        "import sys, runpy; sys.argv = ['app.py', '--ssl-keyfile', 'k', '--ssl-certfile', 'c']\n"
        "try: runpy.run_path('app.py', run_name='__main__')\n"
        "finally: print('torch' in sys.modules, 'gradio' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=HOME, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and done.stdout.split() == ["False", "False"]
    assert done.stderr.splitlines()[-1].endswith("--ssl-keyfile k cannot be read: No such file or "
                                                 "directory.")  # fmt: skip


@pytest.mark.parametrize("variable", ["GRADIO_SERVER_PORT", "GRADIO_NUM_PORTS"])
@pytest.mark.parametrize("given", ["abc", "-1", "70000", "1.5", "9" * 5_000, "\u0661"])
def test_a_port_of_the_environment_that_cannot_be_is_said(monkeypatch, variable, given):
    monkeypatch.setenv(variable, given)
    with pytest.raises(ValueError, match=f"{variable}=.* must be a whole number, . to 65535\\."):
        serve.bound("127.0.0.1", None)
    with serve.bound("127.0.0.1", 0):
        pass


def test_the_ports_that_are_tried_are_those_of_the_environment(monkeypatch):
    for variable in ("GRADIO_SERVER_PORT", "GRADIO_NUM_PORTS"):
        monkeypatch.delenv(variable, raising=False)
    assert serve.ports() == range(7860, 7960)
    monkeypatch.setenv("GRADIO_SERVER_PORT", "65530")
    assert serve.ports() == range(65_530, 65_536)
    monkeypatch.setenv("GRADIO_NUM_PORTS", "2")
    assert serve.ports() == range(65_530, 65_532)


def test_a_variable_of_ports_is_no_matter_of_other_verbs():
    environment = os.environ | {"GRADIO_SERVER_PORT": "abc", "GRADIO_NUM_PORTS": "x"}
    for options, code in (
        (["-m", "robustaudio", "classifiers"], 0),
        (["app.py", "--port", "0"], 2),
    ):
        done = subprocess.run(
            [sys.executable, *options], cwd=HOME, env=environment, capture_output=True, text=True
        )
        assert done.returncode == code and "Traceback" not in done.stderr, done.stderr
    assert "GRADIO_SERVER_PORT=abc must be a whole number" in done.stderr


def test_a_self_signed_pair_is_private_and_holds_every_name(tmp_path):
    names = ["localhost", "192.0.2.7", "[2001:db8::1]", "fe80::1%eth0", "Übung.local"]
    key, certificate = self_signed(names, tmp_path)
    if os.name != "nt":
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    made = x509.load_pem_x509_certificate(certificate.read_bytes())
    held = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(held.get_values_for_type(x509.DNSName)) == {"localhost", "xn--bung-zra.local"}
    assert set(held.get_values_for_type(x509.IPAddress)) == {
        ipaddress.ip_address(one) for one in ("192.0.2.7", "2001:db8::1", "fe80::1")
    }
    # what iPhones want (support.apple.com/en-us/103769): server use, at most 825 days
    use = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert x509.ExtendedKeyUsageOID.SERVER_AUTH in use
    assert (made.not_valid_after_utc - made.not_valid_before_utc).days <= 825
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key)


def test_a_pair_is_kept_until_a_name_is_new_or_it_is_unfit(tmp_path, pair, monkeypatch):
    key, certificate = self_signed(["localhost", "192.0.2.7"], tmp_path)
    first = certificate.read_bytes()
    assert self_signed(["192.0.2.7"], tmp_path)[1].read_bytes() == first  # browsers warn once
    self_signed(["192.0.2.8"], tmp_path)
    second = certificate.read_bytes()
    assert second != first
    key.write_bytes(pair[0].read_bytes())  # of another certificate
    self_signed(["192.0.2.8"], tmp_path)
    third = certificate.read_bytes()
    assert third != second
    key.chmod(0o644)
    self_signed(["192.0.2.8"], tmp_path)
    assert certificate.read_bytes() != third and stat.S_IMODE(key.stat().st_mode) == 0o600
    fourth = certificate.read_bytes()
    monkeypatch.setattr(serve, "RENEWED", serve.VALID)  # as if it ended soon
    self_signed(["192.0.2.8"], tmp_path)
    assert certificate.read_bytes() != fourth


def test_where_the_cache_cannot_be_written_a_temporary_folder_is_taken(tmp_path, monkeypatch):
    (tmp_path / "robustaudio").touch()  # a file where the folder would be
    monkeypatch.setattr(serve, "_cache", lambda: tmp_path / "robustaudio")
    key, _ = self_signed(["localhost"])
    assert key.is_file() and not key.is_relative_to(tmp_path)


def test_without_the_package_a_sentence_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(ValueError, match="needs the package cryptography"):
        read("--self-signed")


def test_a_listening_test_is_served_over_https_below_a_prefix(pair):
    study = str(HOME / "assets" / "studies" / "can-you-hear-it.yaml")
    command = [sys.executable, "-m", "robustaudio", "listen", "serve", study, "--demo"]
    options = ["--port", "0", "--root-path", "/lab"]
    files = ["--ssl-keyfile", str(pair[0]), "--ssl-certfile", str(pair[1])]
    with subprocess.Popen(
        [*command, *options, *files], cwd=HOME, stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stderr is not None
            link = server.stderr.readline().split()[1]
            assert re.fullmatch(r"https://127\.0\.0\.1:\d+/lab/listen/\w+", link)
            server.stderr.readline()
            server.stderr.readline()
            trusting = ssl.create_default_context(cafile=str(pair[1]))
            transport = httpx.HTTPTransport(verify=trusting, retries=20)
            with httpx.Client(transport=transport) as client:
                address = link.replace("127.0.0.1", "localhost")
                for path in ("", "/study", "/teacher"):
                    assert client.get(address + path).status_code == 200, path
                # the gate stands in front of it, too
                agreed, start = {"agreed": True}, f"{address}/start"
                for headers, status in (
                    ({"Host": "evil.example"}, 421), ({"Origin": "https://evil.example"}, 403),
                    ({"Content-Type": "text/plain"}, 415), ({}, 200),
                ):  # fmt: skip
                    answer = client.post(start, json=agreed, headers=headers)
                    assert answer.status_code == status, headers
                policy = answer.headers["content-security-policy"]
                assert "frame-ancestors 'self'" in policy
        finally:
            server.terminate()


def test_small_answers_are_sent_at_once():
    """Nagle's algorithm would hold each back until the one before has been acknowledged."""
    found = []

    def connected():
        class Connected(asyncio.Protocol):
            def connection_made(self, transport):
                of = transport.get_extra_info("socket")
                found.append(of.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

        return Connected()

    async def one_visit(listening):
        server = await asyncio.get_running_loop().create_server(connected, sock=listening)
        _, writer = await asyncio.open_connection(*listening.getsockname())
        writer.close()
        while not found:
            await asyncio.sleep(0.01)
        server.close()

    with serve.bound("127.0.0.1", 0) as listening:
        apart.run(one_visit(listening))
    assert found != [0]


def test_without_a_port_the_first_free_one_is_taken(monkeypatch):
    monkeypatch.setattr(
        "robustaudio.serving.serve.FIRST_PORT", bound("127.0.0.1", 0).getsockname()[1]
    )
    with bound("127.0.0.1", None) as one, bound("127.0.0.1", None) as two:
        assert one.getsockname()[1] != two.getsockname()[1]
    monkeypatch.setattr("robustaudio.serving.serve.PORTS", 1)
    with bound("127.0.0.1", None), pytest.raises(ValueError, match=r"no port from .* is free"):
        bound("127.0.0.1", None)
