"""Classifiers and clips in, records with dB and shares out: what the app and the CLI both report.

Records are plain dicts of numbers and strings, ready for JSON; shares are 0 to 1.
"""
