"""A gate that waits for nobody."""

import pytest


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """What is refused is taken in for a moment only: the test's client sends no end of it."""
    monkeypatch.setattr("robustaudio.gate.gate.DRAIN_S", 0.5)
