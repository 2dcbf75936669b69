"""What docs/serving.md says of public servers is so: limits, nginx, Docker."""

import argparse
import ast
import json
import re
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import fields
from fnmatch import fnmatch
from math import inf
from pathlib import Path

import pytest

from robustaudio.cli.app import App
from robustaudio.cli.main import read
from robustaudio.cli.options import add_flags
from robustaudio.serving.limits import PRIVATE, Limits, parsed
from robustaudio.serving.serve import self_signed

HOME = Path(__file__).parents[1]
SERVING = (HOME / "docs/serving.md").read_text("utf-8")
DOCKERFILE = (HOME / "Dockerfile").read_text("utf-8")
STEPS = [
    (word, rest.strip())
    for line in re.sub(r"\\\n", " ", DOCKERFILE).splitlines()
    if line and not line.startswith("#")
    for word, rest in [line.split(maxsplit=1)]
]


def steps(word: str) -> list[str]:
    return [rest for known, rest in STEPS if known == word]


def parsed_options(options: list[str]) -> App:
    verb = read(["app", *options])
    assert isinstance(verb, App)
    return verb


# --- limits -------------------------------------------------------------------------------------


def test_the_table_of_limits_is_that_of_the_code():
    def shown(value: float) -> str:
        return "none" if value == inf else f"{value:g}"

    rows = re.findall(r"^\| `(\w+)` \| (\S+) \| (\S+) \| (.+) \|$", SERVING, re.MULTILINE)
    told = {name: (public, private, words) for name, public, private, words in rows}
    assert [*told] == [limit.name for limit in fields(Limits)]
    for limit in fields(Limits):
        public, private = (shown(getattr(of, limit.name)) for of in (Limits(), PRIVATE))
        assert told[limit.name] == (public, private, limit.metadata["words"])


def test_every_limit_and_option_that_the_page_names_is_one(monkeypatch):
    monkeypatch.delenv("SPACE_ID", raising=False)
    for asked in re.findall(r"--limit (\w+=\w+)", SERVING):
        parsed([asked])
    for asked in re.findall(r"ROBUSTAUDIO_LIMITS=?`?[ |]*(?:.*`)?(\w+=\w+(?:,\w+=\w+)*)", SERVING):
        parsed(asked.split(","))
    known = {word for action in _actions() for word in action.option_strings}
    foreign = {"--init", "--memory", "--cpus"}  # of docker
    for option in {*re.findall(r"(?<![\w-])--[a-z][a-z-]+", SERVING)} - foreign:
        assert option in known, option


def _actions():
    command = argparse.ArgumentParser()
    add_flags(command, fields(App))
    return command._actions


@pytest.mark.parametrize("line", re.findall(r"^python app\.py (.*)$", SERVING, re.MULTILINE))
def test_every_command_of_the_page_is_understood(line):
    options = [o for o in shlex.split(line) if not o.endswith(".pem")]
    options = [o for o in options if o not in ("--ssl-keyfile", "--ssl-certfile")]
    arguments = parsed_options(options)
    assert arguments.serving() and arguments.limits()


@pytest.mark.parametrize(
    "options, proxies",
    [
        ([], 0),
        (["--public"], 0),
        (["--root-path", "/lab"], 1),
        (["--root-path", "https://lab.example.org/lab", "--host", "::1"], 1),
        (["--root-path", "/lab", "--limit", "proxies=0"], 0),
        (["--root-path", "/lab", "--host", "0.0.0.0"], 0),
    ],
)
def test_a_proxy_is_believed_where_nobody_gets_past_it(monkeypatch, options, proxies):
    for variable in ("SPACE_ID", "ROBUSTAUDIO_LIMITS", "GRADIO_ROOT_PATH"):
        monkeypatch.delenv(variable, raising=False)
    assert parsed_options(options).limits().proxies == proxies


@pytest.mark.parametrize(
    "asked, right",
    [
        ("proxies=none", "a whole number, 0 to 10"),
        ("proxies=1e400", "a whole number, 0 to 10"),
        ("proxies=11", "a whole number, 0 to 10"),
        ("proxies=-1", "a whole number, 0 to 10"),
        ("proxies=0.5", "a whole number, 0 to 10"),
        ("parallel=1.5", "a whole number, 1 or more, or none"),
        ("streams=0", "a whole number, 1 or more, or none"),
        ("seconds=nan", "1 or more, or none"),
        ("uploads_mb=0.5", "1 or more, or none"),
    ],
)
def test_a_limit_that_cannot_be_is_said(asked, right):
    with pytest.raises(ValueError, match=f"the limit {asked.split('=')[0]}=.* must be {right}\\."):
        Limits(**parsed([asked]))
    assert Limits(**parsed(["parallel=none", "seconds=1.5", "proxies=10"]))


# --- nginx --------------------------------------------------------------------------------------

CONFIGURATIONS = re.findall(r"```nginx\n(.*?)```", SERVING, re.DOTALL)


@pytest.mark.parametrize("number", range(len(CONFIGURATIONS)))
def test_nginx_takes_what_the_page_says(tmp_path, number):
    text = CONFIGURATIONS[number]
    if "server {" not in text:
        text = f"server {{ listen 8123; {text} }}"
    done = subprocess.run([*configuration(tmp_path, text), "-t"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def configuration(folder: Path, text: str) -> list[str]:
    """The command that runs nginx with a text of its page about http; the rest lies in a folder."""
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if nginx is None:
        pytest.skip("no nginx found")
    key, certificate = self_signed(["lab.example.org"], folder)
    text = re.sub(r"/etc/ssl/\S+/fullchain\.pem", str(certificate), text)
    text = re.sub(r"/etc/ssl/\S+/key\.pem", str(key), text)
    temporary = "\n".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"pid {folder}/pid;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}\n{text}\n}}\n"
    )
    return [nginx, "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf"]


@pytest.fixture
def behind_nginx(tmp_path):
    """Address of an app behind nginx as the page says, below /lab; it tells who asked."""
    import socket
    import threading

    import httpx
    import uvicorn
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    from robustaudio.gate import Gate, Rules
    from robustaudio.gate.hosts import Hosts
    from robustaudio.serving.serve import bound

    async def tell(request):
        client, url = request.client.host, request.url
        return JSONResponse({"client": client, "path": url.path, "scheme": url.scheme})

    echo = Starlette(routes=[Route("/{path:path}", tell, methods=["GET", "POST"])])
    limits = parsed_options(["--root-path", "/lab"]).limits()
    rules = Rules(limits, Hosts(prefix="/lab"))
    app = Gate(echo, rules)
    listening = bound("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", proxy_headers=False))
    threading.Thread(target=server.run, args=([listening],), daemon=True).start()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    own = f"http://127.0.0.1:{listening.getsockname()[1]}"
    text = CONFIGURATIONS[0].replace("http://127.0.0.1:7860", own)
    configured = configuration(tmp_path, f"server {{ listen 127.0.0.1:{port}; {text} }}")
    running = subprocess.Popen([*configured, "-g", "daemon off; master_process off;"])
    try:
        for _ in range(100):
            try:
                httpx.get(f"http://127.0.0.1:{port}/lab/config")
                break
            except httpx.HTTPError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait()
        server.should_exit = True


def test_behind_nginx_the_honest_page_works_and_no_address_is_made_up(behind_nginx):
    import httpx

    page, join = f"{behind_nginx}/lab/", f"{behind_nginx}/lab/gradio_api/queue/join"
    assert httpx.get(page).json()["path"] == "/"
    for host in ("lab.example.org", "localhost"):
        sent = {"Host": host, "Origin": f"http://{host}", "X-Forwarded-For": "1.2.3.4"}
        answer = httpx.post(join, headers=sent, json={})
        path = "/gradio_api/queue/join"
        assert answer.json() == {"client": "127.0.0.1", "path": path, "scheme": "http"}
        answer = httpx.post(join, headers=sent | {"Origin": "http://evil.example"}, json={})
        assert answer.status_code == 403
    assert httpx.get(f"{behind_nginx}/lab/docs").status_code == 404


def test_nginx_lets_through_what_the_app_does():
    from robustaudio.gate.gate import MULTIPART
    from robustaudio.ui.launch import MOST_BYTES

    sizes = re.findall(r"client_max_body_size (\d+)m", SERVING)
    assert len(sizes) == len(CONFIGURATIONS)
    for size in sizes:
        assert int(size) * 2**20 >= MOST_BYTES + MULTIPART


# --- Docker -------------------------------------------------------------------------------------


def ignored(path: str) -> bool:
    """Whether .dockerignore leaves a file out: the last line that fits decides."""
    out = False
    for line in (HOME / ".dockerignore").read_text("utf-8").split():
        pattern = line.removeprefix("!")
        above = [path, *map(str, Path(path).parents)]
        if pattern.startswith("**/"):
            fits = any(Path(one).name == pattern[3:] for one in above)
        else:
            fits = any(fnmatch(one, pattern) for one in above)
        out = not line.startswith("!") if fits else out
    return out


def test_every_step_is_known_and_in_order():
    words = [word for word, _ in STEPS]
    assert {*words} <= {
        "FROM", "ENV", "RUN", "WORKDIR", "COPY", "USER", "VOLUME", "EXPOSE", "HEALTHCHECK",
        "ENTRYPOINT",
    }  # fmt: skip
    assert words[0] == "FROM" and words[-1] == "ENTRYPOINT"
    assert words.index("USER") > max(n for n, word in enumerate(words) if word in ("RUN", "COPY"))


def test_the_image_has_a_python_that_is_supported():
    (base,) = steps("FROM")
    version = re.fullmatch(r"python:(3\.\d+)-slim", base)
    assert version and 11 <= int(version[1].split(".")[1]) <= 14


def test_every_file_that_is_copied_exists_and_suffices(tmp_path):
    for line in steps("COPY"):
        *sources, target = line.split()
        for source in sources:
            assert (HOME / source).exists() and not ignored(source), source
            place = tmp_path / target if target != "./" else tmp_path / source
            if (HOME / source).is_dir():
                shutil.copytree(HOME / source, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(HOME / source, place)
    for left_out in (
        "tests/test_house.py",
        ".git/config",
        "runs/x",
        "robustaudio/__pycache__/a.pyc",
    ):
        assert ignored(left_out), left_out
    (entry,) = map(json.loads, steps("ENTRYPOINT"))
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    helped = [sys.executable, *entry[1:], "--help"]
    done = subprocess.run(helped, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0 and "--public" in done.stdout, done.stderr
    looked = (
        "from robustaudio import paths; from robustaudio.classifiers.checkpoints import usable; "
    )
    looked += (
        "assert paths.ASSETS.is_dir() and (paths.ASSETS / 'listen.html').is_file() and usable()"
    )
    done = subprocess.run(
        [sys.executable, "-c", looked], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_the_container_listens_where_it_says(monkeypatch):
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    (entry,) = map(json.loads, steps("ENTRYPOINT"))
    arguments = parsed_options(entry[2:])
    (port,) = steps("EXPOSE")
    (health,) = steps("HEALTHCHECK")
    assert entry[:2] == ["python", "app.py"] and str(arguments.port) == port
    assert arguments.host == "0.0.0.0" and arguments.limits() == Limits()
    assert not arguments.open
    command = json.loads(health.partition("CMD ")[2])
    assert command[:2] == ["python", "-c"] and f"127.0.0.1:{port}/theme.css" in command[2]
    ast.parse(command[2])
    assert f"127.0.0.1:{port}:{port}" in SERVING


def environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for line in steps("ENV") for pair in line.split())


def test_every_variable_is_read_by_somebody_and_lasts():
    code = "".join(path.read_text("utf-8") for path in (HOME / "robustaudio").rglob("*.py"))
    for name in environment():
        assert name in code or name in ("PYTHONUNBUFFERED", "PIP_NO_CACHE_DIR"), name
    (volume,) = steps("VOLUME")
    assert environment()["ROBUSTAUDIO_LISTENING"].startswith(f"{volume}/")
    assert f"-v robustaudio:{volume}" in SERVING
    (user,) = steps("USER")
    assert user not in ("root", "0") and any(
        f"chown {user}:{user} {volume}" in r for r in steps("RUN")
    )


def test_the_commands_of_the_image_parse_and_their_packages_exist():
    for command in steps("RUN"):
        assert subprocess.run(["sh", "-nc", command]).returncode == 0, command
        packages = re.findall(r"apt-get install ([^&;]*)", command)
        for name in [word for line in packages for word in line.split() if word[0] != "-"]:
            if shutil.which("apt-cache"):
                shown = subprocess.run(["apt-cache", "show", name], capture_output=True)
                assert shown.returncode == 0, name


def test_the_image_is_built_where_there_is_docker():
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "info"], capture_output=True).returncode:
        pytest.skip("no Docker engine answers")
    subprocess.run([docker, "build", "-t", "robustaudio-test", HOME], check=True, timeout=1_800)


def test_the_container_takes_the_torch_of_the_requirements():
    (pin,) = re.findall(r"^torch==\S+", (HOME / "requirements.txt").read_text("utf-8"), re.M)
    assert f"/whl/cpu {pin}\n" in (HOME / "Dockerfile").read_text("utf-8")
