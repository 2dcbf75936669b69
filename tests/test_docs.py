"""What docs/data-sets.md and docs/command-line.md show works."""

import re
import shlex
from pathlib import Path

import pytest

from robustaudio.audio.datasets import BUNDLED, COLUMNS, read_folder
from robustaudio.cli import main, parser

DOCS = Path(__file__).parents[1] / "docs"
DATA_SETS = (DOCS / "data-sets.md").read_text("utf-8")
PAGES = [DATA_SETS, (DOCS / "command-line.md").read_text("utf-8")]


def block(language):
    (found,) = re.findall(rf"```{language}\n(.*?)```", DATA_SETS, re.DOTALL)
    return found


@pytest.mark.parametrize("command", re.findall(r"^python -m robustaudio (.+)$", block("sh"), re.M))
def test_a_command_parses(command):
    assert callable(parser().parse_args(shlex.split(command)).run)


def test_every_link_leads_somewhere():
    for target in re.findall(r"\]\(([^)#]+)", "\n".join(PAGES)):
        assert (DOCS / target).exists(), target


def test_the_table_is_read_and_its_columns_are_ours(tmp_path):
    (tmp_path / "metadata.csv").write_text(block("csv"))
    assert [row.label for row in read_folder(tmp_path, "mydata").rows] == ["7", "7", "2"]
    assert set(re.findall(r"^\| `(\w+)` \|", DATA_SETS, re.M)) == set(COLUMNS)


def test_from_a_folder_per_label_to_an_attack_on_a_classifier_of_ones_own(
    tmp_path, monkeypatch, capsys
):
    """The page's whole way, with short training: recordings of two words, and every verb's door."""
    monkeypatch.chdir(tmp_path)
    for label, name in (("yes", "seven-slt"), ("yes", "two-slt"), ("no", "nine-slt")):
        folder = tmp_path / "path" / "to" / "mydata" / label
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.wav").write_bytes((BUNDLED / f"{name}.wav").read_bytes())
    exec(compile(block("python").replace("epochs=60", "epochs=2"), "data-sets.md", "exec"), {})
    own = ["--dataset", "path/to/mydata", "--classifier", "mine/answers.safetensors"]
    capsys.readouterr()
    for verb in (["predict"], ["attack", "--attack", "fgsm"], ["verify", "--level-db", "-90"]):
        assert main([*verb, *own]) == 0, capsys.readouterr().err
        assert "answers" in capsys.readouterr().out
