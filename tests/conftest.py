"""Settings of every test: reproducible examples, and the data that may or may not be at hand."""

import torch
from hypothesis import settings

from robustaudio.threats.norms import Norm

settings.register_profile("robustaudio", deadline=None, derandomize=True, max_examples=25)
settings.load_profile("robustaudio")


def pytest_make_parametrize_id(val: object) -> str | None:
    return val.name if isinstance(val, Norm) else None


torch.set_num_threads(1)  # as the app does: OpenMP teams that share cores wait for each other
