"""One rule for threads: what was asked for, then the environment, then one."""

import os
import subprocess
import sys

import pytest
import torch

from robustaudio import threads

CLEAN = {name: value for name, value in os.environ.items() if name not in threads.VARIABLES}


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in threads.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    yield monkeypatch
    torch.set_num_threads(1)


@pytest.mark.parametrize(
    "asked, variables, count",
    [
        (None, {}, 1),
        (3, {}, 3),
        (None, {"OMP_NUM_THREADS": "2"}, 2),
        (None, {"OMP_NUM_THREADS": "4,2"}, 4),
        (None, {"ROBUSTAUDIO_THREADS": "3", "OMP_NUM_THREADS": "2"}, 3),
        (None, {"ROBUSTAUDIO_THREADS": "", "OMP_NUM_THREADS": " 2 "}, 2),
        (1, {"ROBUSTAUDIO_THREADS": "3", "OMP_NUM_THREADS": "2"}, 1),
    ],
)
def test_the_first_that_is_told_counts(asked, variables, count, environment):
    for name, value in variables.items():
        environment.setenv(name, value)
    assert threads.count(asked) == count
    assert threads.limit(asked) == count == torch.get_num_threads()


@pytest.mark.parametrize("name", threads.VARIABLES)
def test_more_threads_than_can_be_started_are_refused(name, environment):
    environment.setenv(name, "99999")
    with pytest.raises(ValueError, match=f"{name} 99999 is too many; at most {threads.MOST}"):
        threads.count()
    with pytest.raises(ValueError, match="--threads 99999 is too many"):
        threads.count(99_999)


@pytest.mark.parametrize("value", ["0", "-2", "many", "1.5"])
def test_what_is_no_number_of_threads_is_refused_by_its_name(value, environment):
    environment.setenv("ROBUSTAUDIO_THREADS", value)
    with pytest.raises(ValueError, match=f"ROBUSTAUDIO_THREADS {value} must be a whole number"):
        threads.count()
    with pytest.raises(ValueError, match="--threads 0 must be a whole number of 1 or more"):
        threads.count(0)


@pytest.mark.parametrize(
    "options, variables, count", [([], {}, 1), (["--threads", "2"], {}, 2),
                                  ([], {"ROBUSTAUDIO_THREADS": "2"}, 2)],
)  # fmt: skip
def test_a_command_computes_with_them(options, variables, count):
    code = (
        "import sys; from robustaudio.cli import main; from robustaudio.audio.datasets import *;"
        "code = main(['predict', str(BUNDLED / 'seven-slt.wav'), *sys.argv[1:]]);"
        "import torch; print('threads', torch.get_num_threads()); sys.exit(code)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, *options], env=CLEAN | variables, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    assert run.stdout.endswith(f"threads {count}\n")
