"""Hear, break and prove an audio classifier.

The listing of the package is the pipeline: audio, representations, classifiers, threats,
attacks | certification, training, evaluation, ui. A module imports only what stands before it.
"""

__version__ = "0.1.0"
