"""Rows and results in, the pages of docs/results out: Markdown, and pictures as SVG.

`python -m robustaudio table NAME` makes each (tables.py); what is measured goes through the engine.
"""
