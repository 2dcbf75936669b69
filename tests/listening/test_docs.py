"""What docs/listening.md shows works: its commands parse, its study opens."""

import re
import shlex
from pathlib import Path

import pytest
import torch

from robustaudio.audio.clip import Clip
from robustaudio.audio.datasets import BUNDLED
from robustaudio.cli import main, parser
from robustaudio.listening.design.study_file import load_study

TEXT = (Path(__file__).parents[2] / "docs" / "listening.md").read_text("utf-8")


@pytest.mark.parametrize("command", re.findall(r"^python -m robustaudio (.+)$", TEXT, re.MULTILINE))
def test_a_command_parses(command):
    assert callable(parser().parse_args(shlex.split(command)).run)


def test_the_study_opens_with_an_own_clip_beside_its_attack(tmp_path, monkeypatch):
    """As the page has it: no file but the clip and what `attack` writes."""
    monkeypatch.chdir(tmp_path)
    (study,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    (tmp_path / "study.yaml").write_text(study)
    Clip.load(BUNDLED / "seven-slt.wav").save("seven-clean.wav")
    (command,) = re.findall(r"e.g. by `(attack seven-clean.wav .+)`", study)
    assert main(shlex.split(command)) == 0
    (of,) = load_study(tmp_path / "study.yaml").clips
    clean, perturbed = of.clip.samples, of.perturbed["pgd"].samples
    difference = perturbed - clean
    assert len(clean) == len(perturbed) == 8000
    assert abs(float(torch.cosine_similarity(difference, clean, dim=0))) < 0.1
    assert 0 < float(difference.norm() / clean.norm()) < 0.1


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
