"""A task is one value: what it names is there, and what is there has its labels."""

import pytest

from robustaudio.audio.tasks import TASKS, shown_label
from robustaudio.classifiers.checkpoints import read_card


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_its_clips_and_its_classifier_have_its_labels(task):
    assert {row.label for row in task.bundled().rows} == {*task.labels}
    card = read_card(task.classifier)
    assert (card.task, card.labels) == (task.name, task.labels)
    assert task.clip in task.clips()
    assert sorted(map(shown_label, task.labels)) == sorted(
        name.split(" · ")[0] for name in task.one_per_label()
    )
