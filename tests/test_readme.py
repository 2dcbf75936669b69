"""What the README shows works: its Python block runs, its commands parse, its pictures exist."""

import re
import shlex
from pathlib import Path

import pytest

from robustaudio.cli import parser

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^python -m robustaudio (.+)$", README, re.MULTILINE)


def test_the_python_block_runs(monkeypatch, capsys):
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    monkeypatch.chdir(ROOT)
    exec(compile(block, "README.md", "exec"), {})
    assert "tensor" in capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_readme_parses(command):
    arguments = parser().parse_args(shlex.split(command))
    assert callable(arguments.run)
    if getattr(arguments, "clip", None):
        assert (ROOT / arguments.clip).is_file()


def test_every_link_leads_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("http") or (ROOT / target).exists(), target
