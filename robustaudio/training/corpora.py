"""What the classifiers of each task are trained, chosen and tested on, and how to say so."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from robustaudio.audio.datasets import Dataset, open_dataset

DIGITS = tuple("0123456789")
INSTRUMENTS = (
    "acoustic_guitar", "cello", "clarinet", "electric_guitar", "flute", "organ", "piano",
    "saxophone", "trumpet", "violin", "voice",
)  # fmt: skip
# FSDD's recordings by index: 0-4 are the test split, 5-9 were held out to choose settings on
TRAINING_INDICES, VALIDATION_INDICES = range(10, 45), range(5, 10)


@dataclass(frozen=True)
class Corpus:
    """The data of a task; `rendered` sounds may stand beside the recordings it is trained on."""

    recorded: Dataset
    rendered: Dataset
    validation: Dataset
    rendered_validation: Dataset
    bundled: Dataset
    test: Dataset
    about_data: str
    about_test: str
    attribution: str
    licence: str = "CC-BY-SA-4.0"


def digits() -> Corpus:
    """FSDD and rendered voices."""
    fsdd, rendered = open_dataset("fsdd"), open_dataset("rendered")
    spoken = fsdd.select("train")
    return Corpus(
        recorded=_with_indices(spoken, TRAINING_INDICES),
        rendered=rendered.select("train"),
        validation=_with_indices(spoken, VALIDATION_INDICES),
        rendered_validation=rendered.select("val"),
        bundled=open_dataset("bundled-digits"),
        test=fsdd.select("test"),
        about_data="FSDD recordings 10-44 (5-9: validation); rendered voices",
        about_test="FSDD test split (indices 0-4)",
        attribution="Trained on the Free Spoken Digit Dataset (Jackson et al., CC BY-SA 4.0).",
    )


def instruments() -> Corpus:
    """Recordings of eleven instruments, and the same ones rendered."""
    played, rendered = open_dataset("instruments"), open_dataset("rendered-instruments")
    return Corpus(
        recorded=played.select("train"),
        rendered=rendered.select("train"),
        validation=played.select("val"),
        rendered_validation=rendered.select("val"),
        bundled=open_dataset("bundled-instruments"),
        test=played.select("test"),
        about_data="recordings of single instruments, split by pitch or recording; rendered ones",
        about_test="test split of the instrument recordings",
        attribution="Trained on recordings of VSCO 2 CE, University of Iowa MIS, Freesound, "
        "Karoryfer, MTG, OLPC, Salamander, Splendid, GrandOrgue (organ pipes by Lars Palo, CC "
        "BY-SA 2.5 SE) and others (CC0, CC BY, public domain), and on FluidR3 GM (MIT).",
    )


CORPORA: dict[str, Callable[[], Corpus]] = {"digits": digits, "instruments": instruments}


def _with_indices(dataset: Dataset, indices: range) -> Dataset:
    """The recordings <digit>_<speaker>_<index> with one of the indices."""
    rows = (row for row in dataset.rows if int(row["group"].rsplit("_", 1)[1]) in indices)
    return replace(dataset, rows=tuple(rows))
