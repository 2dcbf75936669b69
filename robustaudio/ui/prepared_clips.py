"""Clips as classifiers take them, kept: the events of a page decode each of them once.

What is kept of a recording is the stretch that a classifier hears, some seconds of it.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from robustaudio.audio.clip import Clip
from robustaudio.classifiers.classifier import Classifier
from robustaudio.serving.turns import Turns

MOST_CLIPS = 64
MOST_SAMPLES = 2**24  # of all clips together: 64 MB
AT_A_TIME = 2  # recordings that are decoded, of one address one; the others wait

Within = Sequence[Path] | None  # the only folders that may be read
Key = tuple  # of a file as it is now, for one classifier


class Prepared:
    """The clips used last, by file and classifier; all threads of the page share them."""

    def __init__(self, most: int = MOST_CLIPS, most_samples: int = MOST_SAMPLES):
        self._most, self._most_samples = most, most_samples
        self._clips: OrderedDict[Key, Clip] = OrderedDict()
        self._lock = threading.Lock()
        self._turns = Turns(AT_A_TIME)

    def __len__(self) -> int:
        return len(self._clips)

    def clip(self, path: Path, name: str, classifier: Classifier, within: Within) -> Clip:
        """The clip of a file, prepared for the classifier of that name; see `Clip.load`.

        Raises:
            ValueError: one sentence, for a file that cannot be used.
        """
        if (clip := self._kept(path, name, within)) is None:
            with self._turns.turn():
                if (clip := self._kept(path, name, within)) is None:  # while this one waited
                    clip = classifier.load_clip(path, within=within)
                    self.keep(path, name, within, clip)
        return replace(clip, samples=clip.samples.clone())  # nobody changes what others hear

    def decoded(self, path: Path, classifier: Classifier, within: Within) -> Clip:
        """The clip of a file that is not worth keeping yet.

        Raises:
            ValueError: one sentence, for a file that cannot be used.
        """
        with self._turns.turn():
            return classifier.load_clip(path, within=within)

    def keep(self, path: Path, name: str, within: Within, clip: Clip) -> None:
        """Keep a clip that was prepared from a file; the ones used longest ago make room."""
        if (key := _key(path, name, within)) is None:
            return
        with self._lock:
            self._clips[key] = clip
            self._clips.move_to_end(key)
            while len(self._clips) > self._most or self._samples() > self._most_samples:
                self._clips.popitem(last=False)

    def forget(self, folder: Path) -> None:
        """Drop what was prepared of the files in a folder."""
        with self._lock:
            for key in [key for key in self._clips if key[0].is_relative_to(folder)]:
                del self._clips[key]

    def _kept(self, path: Path, name: str, within: Within) -> Clip | None:
        key = _key(path, name, within)
        with self._lock:
            if key is None or key not in self._clips:
                return None
            self._clips.move_to_end(key)
            return self._clips[key]

    def _samples(self) -> int:
        return sum(len(clip.samples) for clip in self._clips.values())


def _key(path: Path, name: str, within: Within) -> Key | None:
    """None where there is no file."""
    try:
        now = path.stat()
    except (OSError, ValueError):
        return None
    return path, name, within and (*within,), now.st_mtime_ns, now.st_size, now.st_ino
