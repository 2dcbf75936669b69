"""Sounds and answers in, what people hear out: procedures ask, statistics conclude."""

from robustaudio.listening.analysis import analyse
from robustaudio.listening.procedures import ABX, Quest, Staircase
from robustaudio.listening.ratings import Impairment, Mushra
from robustaudio.listening.trial import Procedure, Response, Trial

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
