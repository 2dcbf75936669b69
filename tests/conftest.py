"""Settings of every test: reproducible examples, and the longest files first."""

from pathlib import Path

import pytest
import torch
from hypothesis import settings

from robustaudio.threats.norms import Norm

TESTS = Path(__file__).parent
LONGEST = (  # files, by their seconds: beside the last one no other worker has anything to do
    "ui/test_own_clips.py", "ui/test_listen.py", "ui/test_served.py", "ui/test_tour.py",
    "ui/test_touch.py", "ui/tabs/test_hear_and_break.py", "ui/tabs/test_ruler.py",
    "ui/test_page.py", "ui/test_tasks.py", "ui/widgets/test_live_search.py",
    "ui/tabs/test_listen.py", "ui/test_crowd.py", "ui/tabs/test_verification.py",
    "ui/tabs/test_choice.py", "ui/tabs/test_randomized_smoothing.py",
    "evaluation/test_same_numbers.py", "ui/test_honest_page.py", "audio/test_hostile_sounds.py",
    "ui/test_crowded.py", "test_package.py", "cli/test_fuzz.py", "audio/test_sound_file.py",
)  # fmt: skip

settings.register_profile("robustaudio", deadline=None, derandomize=True, max_examples=25)
settings.load_profile("robustaudio")


def pytest_configure(config: pytest.Config) -> None:
    config.option.loadscopereorder = False  # of pytest-xdist, by the number of tests of a file


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {TESTS / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path, len(order)))


def pytest_make_parametrize_id(val: object) -> str | None:
    return val.name if isinstance(val, Norm) else None


torch.set_num_threads(1)  # as the app does: OpenMP teams that share cores wait for each other
