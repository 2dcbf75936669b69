"""Settings of every test: reproducible examples, and the data that may or may not be at hand."""

from hypothesis import settings

settings.register_profile("robustaudio", deadline=None, derandomize=True, max_examples=25)
settings.load_profile("robustaudio")
