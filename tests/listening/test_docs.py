"""What docs/listening.md shows works: its commands parse, its study opens."""

import re
import shlex
from pathlib import Path

import pytest
import torch

from robustaudio.audio.clip import Clip
from robustaudio.cli import parser
from robustaudio.listening.study_file import load_study

TEXT = (Path(__file__).parents[2] / "docs" / "listening.md").read_text("utf-8")


@pytest.mark.parametrize("command", re.findall(r"^python -m robustaudio (.+)$", TEXT, re.MULTILINE))
def test_a_command_parses(command):
    assert callable(parser().parse_args(shlex.split(command)).run)


def test_the_study_opens(tmp_path):
    (study,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    (tmp_path / "study.yaml").write_text(study)
    rng = torch.Generator().manual_seed(0)
    clean = Clip(0.1 * torch.randn(8000, generator=rng).cumsum(0) / 30, 8000)
    clean.save(tmp_path / "seven-clean.wav")
    Clip(clean.samples + 0.001 * torch.randn(8000, generator=rng), 8000).save(
        tmp_path / "seven-pgd.wav"
    )
    opened = load_study(tmp_path / "study.yaml")
    assert opened.families == ("white", "shaped", "pgd")
    assert opened.model.certified_radius == 0.12
