"""What the first tab shows of a result."""

import gradio as gr
import pytest

from robustaudio.attacks import DeepFool
from robustaudio.evaluation.attack import Attacking, Plan, attack
from robustaudio.evaluation.engine import measure_clip
from robustaudio.ui.launch import load_services
from robustaudio.ui.sources import Source
from robustaudio.ui.tabs.hear_and_break import HearAndBreak
from robustaudio.ui.wish import ANY_OTHER
from robustaudio.ui.words.hear_and_break import perturbation_words


@pytest.fixture(scope="module")
def services():
    return load_services()


@pytest.fixture(scope="module")
def source(services):
    name = "7 · flite slt"
    return Source(name, services.clips["digits"][name], "digits")


def target() -> gr.Dropdown:
    return gr.Dropdown([ANY_OTHER, "0", "1"], value=ANY_OTHER, render=False)


def test_nothing_found_is_said_and_not_judged(services, source):
    classifier, clip = services.open(source, "digits-cnn")
    plan = Plan(DeepFool())
    result = measure_clip(attack, classifier, clip.samples, Attacking(plan, -100))
    assert result.difference.linf == 0
    words = perturbation_words(result)
    assert "nothing found up to −100.0 dB of the clip's peak" in words
    assert "no perturbation at all" not in words and "allowed" not in words
    with gr.Blocks():
        tab = HearAndBreak(target())
    shown, masking = tab.shows(classifier, clip, result, 0), tab.masking
    assert shown[tab.exhibits] is shown[tab.exhibits_words] is None
    assert "nothing to judge" in shown[masking.words]
    assert shown[masking.cursor] == gr.update(visible=False)
    assert shown[masking.spectrum] is shown[masking.ratio] is None
