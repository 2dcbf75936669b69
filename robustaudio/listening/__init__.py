"""Sounds and answers in, what people hear out: procedures ask, statistics conclude."""

from robustaudio.listening.analysis.analyse import analyse
from robustaudio.listening.design.procedures import ABX, Quest, Staircase
from robustaudio.listening.design.ratings import Impairment, Mushra
from robustaudio.listening.design.trial import Procedure, Response, Trial

__all__ = [
    "ABX",
    "Impairment",
    "Mushra",
    "Procedure",
    "Quest",
    "Response",
    "Staircase",
    "Trial",
    "analyse",
]
