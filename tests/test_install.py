"""install.py chooses a build of torch by what it finds, and needs nothing but PyPI."""

import importlib.util
import re
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def install():
    """The script as a module of its own, which a test may change."""
    spec = importlib.util.spec_from_file_location("install", ROOT / "install.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(install, monkeypatch, tmp_path):
    """Runs the script without pip and without a network; returns pip's arguments, call by call."""

    def call(*arguments, platform="linux", gpu=False, reachable=True, has="", codes=()):
        calls, left = [], list(codes)

        def pip(python, *given):
            calls.append(given)
            return left.pop(0) if left else 0

        monkeypatch.setattr(install, "pip", pip)
        monkeypatch.setattr(install, "has_gpu", lambda: gpu)
        monkeypatch.setattr(install, "answers", lambda url: reachable)
        monkeypatch.setattr(install, "installed_torch", lambda python: has)
        monkeypatch.setattr(install, "make_environment", lambda folder: folder / "bin" / "python")
        monkeypatch.setattr(sys, "platform", platform)
        monkeypatch.setattr(sys, "argv", ["install.py", *arguments, "--venv", str(tmp_path)])
        install.main()
        return calls

    return call


PIN = next(
    line
    for line in (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    if line.startswith("torch==")
)
ALL = ("-r", str(ROOT / "requirements.txt"), "-c", str(ROOT / "requirements.lock"))
CPU = ("--no-deps", "--index-url", "https://download.pytorch.org/whl/cpu", PIN)


def test_without_a_gpu_linux_takes_the_cpu_build_and_the_lock(run, capsys):
    assert run() == [CPU, ALL]
    assert "No NVIDIA GPU was found." in capsys.readouterr().out


def test_where_only_pypi_answers_everything_comes_from_there(run, capsys):
    assert run(reachable=False) == [ALL]
    assert "3.0 GB in place of 0.5 GB" in capsys.readouterr().out


def test_where_the_cpu_index_fails_half_way_everything_comes_from_pypi(run, capsys):
    assert run(codes=[1, 0]) == [CPU, ALL]
    assert "cannot be used from here" in capsys.readouterr().out


@pytest.mark.parametrize(
    "platform, gpu", [("linux", True), ("darwin", False), ("win32", False), ("freebsd14", False)]
)
def test_where_pypi_holds_the_right_build_no_other_index_is_asked(run, platform, gpu):
    assert run(platform=platform, gpu=gpu) == [ALL]


def test_windows_with_a_gpu_takes_the_cuda_build(run):
    (first, last) = run(platform="win32", gpu=True)
    assert "https://download.pytorch.org/whl/cu130" in first and last == ALL


def test_a_second_run_asks_no_index_and_no_gpu(run, capsys):
    assert run(has=PIN.removeprefix("torch==")) == [ALL]
    assert "GPU" not in capsys.readouterr().out


def test_a_named_build_replaces_the_one_that_is_there(run):
    assert run("--torch", "cpu", gpu=True, has="2.13.0") == [("--force-reinstall", *CPU), ALL]
    assert run("--torch", "gpu", has="2.13.0") == [("--force-reinstall", "--no-deps", PIN), ALL]


def test_the_tests_have_a_lock_of_their_own(run):
    (last,) = run("requirements-dev.txt", platform="darwin")
    assert [Path(part).name for part in last[1::2]] == [
        "requirements-dev.txt",
        "requirements-dev.lock",
    ]


def test_what_pip_says_is_the_exit_code(run):
    with pytest.raises(SystemExit) as left:
        run(platform="darwin", codes=[3])
    assert left.value.code == 3


@pytest.mark.parametrize("version", [(3, 10, 13), (3, 15, 0)])
def test_another_python_is_told_what_is_needed(run, monkeypatch, version):
    monkeypatch.setattr(sys, "version_info", version)
    with pytest.raises(SystemExit, match=r"Python 3\.11 to 3\.14 is needed; this is"):
        run()


def test_an_index_that_answers_is_found(install):
    class Index(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(200 if self.path == "/whl/torch/" else 404)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Index) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        assert install.answers(address + "/whl")
        assert not install.answers(address + "/other")
        server.shutdown()
    assert not install.answers(address + "/whl", 1)


def test_an_index_that_never_answers_is_given_up(install):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        assert not install.answers(f"http://127.0.0.1:{silent.getsockname()[1]}", 0.2)
        assert time.monotonic() - began < 10


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for the driver's tool")
@pytest.mark.parametrize(
    "body, found", [("echo 'GPU 0: NVIDIA T4'", True), ("exit 9", False), ("echo none", False)]
)
def test_a_gpu_is_what_the_driver_names(install, monkeypatch, tmp_path, body, found):
    if any(Path("/proc/driver/nvidia/gpus").glob("*")):
        pytest.skip("this computer has a GPU")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not install.has_gpu()
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{body}\n")
    tool.chmod(0o755)
    assert install.has_gpu() is found


def test_the_commands_of_the_readme_are_the_installers():
    readme = (ROOT / "README.md").read_text("utf-8")
    lines = re.findall(r"^python3 install\.py ?(\S*) && \.venv/bin/python ", readme, re.MULTILINE)
    assert lines == ["", "requirements-dev.txt"]
    assert "grep -m 1 '^python3 install.py requirements-dev.txt' README.md" in (
        ROOT / ".ci" / "run"
    ).read_text("utf-8")
