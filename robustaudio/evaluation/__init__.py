"""Classifiers and batches of clips in, results out: what page, command line and reports show.

A measure is a function on a batch (`predict`, `attack`, `verify` ...); `engine.measure_clip` runs
one on a clip, `engine.run` over a data set. Results are frozen dataclasses (results.py), and
`to_json` makes their records; shares are 0 to 1.
"""
