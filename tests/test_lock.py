"""The lock files hold every package that the requirements lead to, in the versions they name."""

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
NAMES = ("requirements", "requirements-dev")
AGAIN = "make the lock files again by .ci/lock"


def parsed(path):
    """The requirements in `path`, and in the files that it includes."""
    for line in path.read_text("utf-8").splitlines():
        text = line.partition("#")[0].strip()
        if text.startswith("-r "):
            yield from parsed(path.parent / text.removeprefix("-r ").strip())
        elif text and not text.startswith("--"):
            yield Requirement(text)


def locked(file):
    """Version of each package that the lock file holds for this Python and platform."""
    lines = parsed(ROOT / file)
    here = [line for line in lines if line.marker is None or line.marker.evaluate()]
    versions = {canonicalize_name(line.name): str(line.specifier) for line in here}
    assert len(versions) == len(here), "a package is locked twice"
    return {package: Version(pin.removeprefix("==")) for package, pin in versions.items()}


def needed(requirements):
    """Name and installed version of each package that `requirements` lead to, as installed here."""
    todo, seen = [(line, "") for line in requirements], set()
    while todo:
        line, extra = todo.pop()
        name = canonicalize_name(line.name)
        if line.marker is not None and not line.marker.evaluate({"extra": extra}):
            continue
        for key in {(name, extra) for extra in {"", *line.extras}} - seen:
            seen.add(key)
            try:
                found = distribution(name)
            except PackageNotFoundError:
                pytest.fail(f"{name} is needed and not installed")
            todo += [(Requirement(text), key[1]) for text in found.requires or ()]
            yield name, Version(found.version)


@pytest.mark.parametrize(
    "name, file",
    [*((name, f"{name}.lock") for name in NAMES), ("requirements", "requirements-space.txt")],
)
def test_every_pin_of_the_requirements_is_in_the_lock(name, file):
    versions = locked(file)
    for line in parsed(ROOT / f"{name}.txt"):
        pinned = versions.get(canonicalize_name(line.name))
        assert pinned is not None and line.specifier.contains(pinned), f"{line}: {AGAIN}"


@pytest.mark.parametrize("name", NAMES)
def test_the_lock_holds_all_that_is_needed_here(name):
    versions = locked(f"{name}.lock")
    for package, version in needed(parsed(ROOT / f"{name}.txt")):
        assert package in versions, f"{package} is not in {name}.lock: {AGAIN}"
        assert Version(version.public) == versions[package], (
            f"{package} {version} is installed, and {name}.lock says {versions[package]}: "
            f"python install.py {name}.txt installs that"
        )


def test_the_tests_run_on_what_the_app_runs_on():
    app, dev = ({str(line) for line in parsed(ROOT / f"{name}.lock")} for name in NAMES)
    assert app <= dev


def test_a_space_gets_no_cuda():
    assert not [name for name in locked("requirements-space.txt") if "nvidia" in name]
    lines = (ROOT / "requirements-space.txt").read_text("utf-8").splitlines()
    assert "--extra-index-url https://download.pytorch.org/whl/cpu" in lines
