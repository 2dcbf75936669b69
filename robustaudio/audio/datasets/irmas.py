"""IRMAS: excerpts of music by their leading instrument, in the layout of its release."""

import re
from pathlib import Path
from zlib import crc32

from robustaudio.audio.datasets.dataset import Dataset, Row

IRMAS_FOLDER = "IRMAS-TrainingData"
IRMAS_ADVICE = (
    f"unpack {IRMAS_FOLDER}.zip, which https://doi.org/10.5281/zenodo.1290750 offers, into {{}}"
)
# 008__[flu][nod][cla]0393__1.wav: instrument, drums (not in all), genre, recording, excerpt
IRMAS_FILE = re.compile(r"(?:[0-9]+__)?\[([a-z]{3})\](?:\[[^]]*\])+([0-9]+)__[0-9]+\.wav")
IRMAS_LABELS = {
    "cel": "cello", "cla": "clarinet", "flu": "flute", "gac": "acoustic_guitar",
    "gel": "electric_guitar", "org": "organ", "pia": "piano", "sax": "saxophone",
    "tru": "trumpet", "vio": "violin", "voi": "voice",
}  # fmt: skip


def holds_irmas(folder: Path) -> bool:
    """Whether a folder holds the training part of the release, as it is unpacked."""
    return (folder / IRMAS_FOLDER).is_dir()


def read_official_irmas(folder: Path, name: str = "irmas") -> Dataset:
    """The training part of IRMAS (Bosch et al. 2012): 3 s excerpts of real music, in stereo.

    IRMAS names no splits for it. Here every recording lies in one: about 70 % train, 10 % val and
    20 % test, by a checksum, so that a file more or less moves no other.

    Raises:
        ValueError: if there is no such file.
    """
    rows = []
    for path in sorted((folder / IRMAS_FOLDER).glob("*/*.wav")):
        match = IRMAS_FILE.fullmatch(path.name)
        if match and match[1] == path.parent.name in IRMAS_LABELS:
            group = match[1] + match[2]
            rows.append(
                Row(
                    file=path.relative_to(folder).as_posix(),
                    label=IRMAS_LABELS[match[1]],
                    speaker_or_source=group,
                    group=group,
                    split=(2 * ["test"] + ["val"] + 7 * ["train"])[crc32(group.encode()) % 10],
                    licence="CC-BY-NC-SA-3.0",
                )
            )
    if not rows:
        raise ValueError(
            f"{folder / IRMAS_FOLDER} holds no <code>/[<code>][<genre>]<recording>__<excerpt>.wav."
        )
    return Dataset(name, folder, tuple(rows))
