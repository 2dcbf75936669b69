"""Deletion of studies that are over: on time, only by a clock that can be believed, and once asked.

What is kept in spite of its end, and what cannot be deleted, is logged once while that lasts.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

from robustaudio.listening.run.charter import Charter, Charters
from robustaudio.listening.run.clocks import Clocks

NO_END = "when this study ends can no longer be read, for what is stored of it is damaged"
KEPT = "it is closed to listeners, and its answers are kept until whoever opened it deletes them"
NO_STUDY_OF = (
    "there are answers, but nothing says what was asked, or until when; they are kept until "
    "somebody deletes them"
)
NOT_READ = (
    "lies among the answers and is not read, for no study is called so; nothing in it is deleted "
    "when its time comes"
)
LOG = logging.getLogger(__name__)


class Warnings:
    """Warnings in the log, each once while its cause lasts, not every minute."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def give(self, about: str, words: str) -> None:
        if about not in self._given:
            self._given.add(about)
            LOG.warning("%s", words)

    def end(self, *abouts: str) -> None:
        """The causes are gone: the next time is worth a warning again."""
        self._given.difference_update(abouts)


class Purge:
    """Deletes what has expired, asked for or not, and what was being closed.

    What has expired goes only if the clock can be believed (`Clocks`), and if it is certain when
    it ended; what never had an end, only if nobody answered.
    """

    def __init__(
        self, charters: Charters, clocks: Clocks, close: Callable[[str], None], warnings: Warnings
    ) -> None:
        self.charters, self.clocks, self.close, self.warnings = charters, clocks, close, warnings

    def run(self, *, by_time: bool) -> tuple[list[str], list[str]]:
        """Tokens of what was deleted, and of what could not be: the next purge tries again."""
        stores = self.charters.store, self.charters.demo
        charters, closed, left = {}, [], []
        for token in [token for store in stores for token in store.studies()]:
            with self._in_trouble(token, left):
                charters[token] = self.charters.charter(token)
        now = self._believed(charters) if by_time else None
        for token, charter in charters.items():
            with self._in_trouble(token, left):
                if self._is_over(token, charter, now):
                    self.close(token)
                    closed.append(token)
        for store in stores:
            orphans = store.orphans()
            deleted = store.deleted() if orphans else set()
            for token in orphans:
                with self._in_trouble(token, left):
                    if token in deleted:  # it came in while the study was deleted
                        store.delete(token)
                        closed.append(token)
                    else:
                        self.warnings.give(token, f"study {token}: {NO_STUDY_OF} (listen purge).")
        for name in self.charters.store.others():
            self.warnings.give(f"other {name}", f"{name!r} {NOT_READ}.")
        self.warnings.end(*(f"trouble with {token}" for token in charters.keys() - {*left}))
        return closed, left

    @contextmanager
    def _in_trouble(self, token: str, left: list[str]) -> Iterator[None]:
        """One study's trouble is not the others': it is logged, and the study is left."""
        try:
            yield
        except Exception as error:
            left.append(token)
            words = f"study {token} cannot be purged: {in_words(error)}"
            self.warnings.give(f"trouble with {token}", words)

    def _is_over(self, token: str, charter: Charter, now: datetime | None) -> bool:
        """Whether a study is to be deleted; None for `now` if nobody knows the time."""
        if charter.closed:
            return True
        if charter.end and not charter.doubtful:
            return now is not None and charter.end <= now
        damaged = charter.damaged or charter.doubtful
        if not charter.end and not damaged and not self.charters.store_of(token).sessions(token):
            return True  # its opening was interrupted
        self.warnings.give(token, f"study {token}: {NO_END}; {KEPT} (listen purge).")
        return False

    def _believed(self, charters: Mapping[str, Charter]) -> datetime | None:
        """The time of day, if it can be believed."""
        wall = datetime.fromtimestamp(self.clocks.wall(), UTC)
        over = [token for token, charter in charters.items() if charter.end and charter.end <= wall]
        seconds = self.clocks.believed(lambda: self.charters.newest_s(over))
        if seconds is not None:
            self.warnings.end("clock")
            return datetime.fromtimestamp(seconds, UTC)
        if over:
            self.warnings.give(
                "clock",
                f"by this computer's clock, {wall:%Y-%m-%d %H:%M} UTC, {len(over)} studies are "
                "over, but the clock was set, or is far from the last answer; they are deleted "
                "once it has run steadily for some minutes.",
            )
        return None


def in_words(error: Exception) -> str:
    """An error in words; those of others may hold what was to be stored."""
    return str(error) if isinstance(error, (OSError, ValueError, LookupError)) else "a defect"
