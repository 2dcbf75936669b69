"""A store of files: a folder per study and a JSON Lines file per listener, for one server."""

import errno
import os
import shutil
import stat
import threading
from collections.abc import Hashable, Iterable
from contextlib import suppress
from pathlib import Path

from robustaudio.listening.run.lines import LAST, Reader, line
from robustaudio.listening.run.store import NAME, STUDY, Event, NotWritable, Store, checked, once

try:
    import fcntl
except ImportError:  # Windows: there nothing keeps a second process out
    fcntl = None

CLOSED_FILE = ".closed"  # a line for each study that was deleted
TOMBSTONE = ".deleted"  # ends the name of a mark that stays until the Hub has followed
LINES = ".jsonl"  # ends the name of a stream's file
STRIPES = 64  # locks of a folder: two streams rarely wait for each other


class JsonLinesStore(Store):
    """A folder per study and a file per stream, a line per event; one process writes to it.

    A line is written whole and reaches the disk (fsync) before `append` returns. One that cannot
    be read is an event of the kind `DAMAGED`: the disk has damaged it, or it was cut off, as a
    killed process leaves a line that was never confirmed. The next line takes the place of what
    was cut off, behind a note that says so.
    """

    kept = "in files on the computer that serves this page, not in public"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._locks = [threading.Lock() for _ in range(STRIPES)]
        self._claim_lock, self._claimed = threading.Lock(), False

    def append(self, event: Event) -> bool:
        path = self._path(event.study, event.session)
        self._claim()
        with self._lock(path):
            lines = Reader(event.study, event.session).read(_content(path))
            if any(event.key == known.key for known in lines.events):
                return False
            new = map(line, [*lines.cut, event])  # the cut is remembered, and not only mended
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = not path.exists()
            _write(path, lines.end, lines.before + b"\n".join(new) + LAST)
            if fresh:
                _sync(path.parent, path.parent.parent)
            return True

    def read(self, study: str, session: str) -> list[Event]:
        with self._lock(self._path(study, session)):
            content = _content(self._path(study, session))
        lines = Reader(study, session).read(content)
        return [*once([*lines.events, *lines.cut])]

    def studies(self) -> list[str]:
        """Folders with a study's stream, and those about which nobody can say."""
        names = filter(NAME.fullmatch, _names(self.folder))  # what is called otherwise is not ours
        return [name for name in names if _may_be_there(self._path(name, STUDY))]

    def orphans(self) -> list[str]:
        names = {*filter(NAME.fullmatch, _names(self.folder))} - {*self.studies()}
        return sorted(name for name in names if _may_hold_answers(self._folder(name)))

    def deleted(self) -> set[str]:
        names = _content(self.folder / CLOSED_FILE).decode("ascii", "replace").split("\n")[:-1]
        return {*filter(NAME.fullmatch, names)}

    def sessions(self, study: str) -> list[str]:
        streams = [name[: -len(LINES)] for name in _names(self._folder(study)) if _is_stream(name)]
        return [name for name in streams if name != STUDY]

    def strays(self, study: str) -> list[str]:
        names = _names(self._folder(study))
        return [_shown(name) for name in names if LINES in name and not _is_stream(name)]

    def others(self) -> list[str]:
        # what begins with a dot is a program's own
        names = [n for n in _names(self.folder) if not NAME.fullmatch(n) and n[0] != "."]
        return [_shown(name) for name in names if _may_hold_answers(self.folder / name)]

    def delete(self, study: str, session: str | None = None) -> None:
        self._claim()
        folder = self._folder(study)
        if session is None:
            with suppress(OSError):  # a disk that is full: to delete makes room
                self._note_deleted(study)
            self._remove(self._all_but_own(study))
        # the study's own last: until then, what could not be deleted is found and deleted again
        self._remove([self._path(study, session or STUDY)])
        _sync(folder)
        with suppress(OSError):  # there are others in it
            folder.rmdir()
            _sync(self.folder)

    def _all_but_own(self, study: str) -> list[Path]:
        """What is in a study's folder beside its own stream: files, and what is called like ours.

        Where the folder itself is a link, other files are somebody else's.
        """
        folder = self._folder(study)
        ours = {self._path(study, name) for name in self.sessions(study)}
        strays = [] if folder.is_symlink() or not folder.is_dir() else [*folder.iterdir()]
        kept = self._path(study, STUDY)
        files = {path for path in strays if not _is_folder(path) and path.suffix != TOMBSTONE}
        return sorted((ours | files) - {kept})

    def _remove(self, paths: Iterable[Path]) -> None:
        """Delete all that can be deleted; then the first error, if there was any, is raised."""
        errors = []
        for path in paths:
            try:
                with self._lock(path):
                    shutil.rmtree(path) if _is_folder(path) else path.unlink(missing_ok=True)
            except OSError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def _note_deleted(self, study: str) -> None:
        """What comes in of this study from now on is known to be late."""
        path = self.folder / CLOSED_FILE
        with self._claim_lock:
            if study in self.deleted():
                return
            content = _content(path)
            _write(path, content.rfind(b"\n") + 1, study.encode("ascii") + b"\n")
            _sync(self.folder)

    def _claim(self) -> None:
        """Keep other processes from writing here until this one ends; NotWritable if one writes.

        For that the file stays open: the kernel's lock goes when it is closed.
        """
        with self._claim_lock:
            if self._claimed:
                return
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                lock = os.open(self.folder / ".lock", os.O_CREAT | os.O_WRONLY)
            except OSError as error:
                reason = (error.strerror or type(error).__name__).lower()
                raise NotWritable(f"{self.folder} cannot be written to: {reason}.") from error
            try:
                if fcntl:
                    fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                os.close(lock)
                raise NotWritable(
                    f"another process writes to {self.folder}; stop that one, or name another "
                    "--store."
                ) from error
            self._claimed = True

    def stamp(self, study: str, session: str) -> Hashable:
        try:
            return _stamp(self._path(study, session))
        except OSError:
            return None

    def stamps(self, study: str) -> dict[str, Hashable]:
        stamps = {name: self.stamp(study, name) for name in self.sessions(study)}
        return {
            name: stamp
            for name, stamp in stamps.items()
            if stamp is not None or os.path.lexists(self._path(study, name))  # else it is deleted
        }

    def _folder(self, study: str) -> Path:
        return self.folder / checked(study)

    def _path(self, study: str, session: str) -> Path:
        return self._folder(study) / f"{checked(session)}{LINES}"

    def _lock(self, path: Path) -> threading.Lock:
        return self._locks[hash(path) % STRIPES]


def _names(folder: Path) -> list[str]:
    """What is in a folder, in order; nothing if there is none. A link to nothing is an OSError."""
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        if folder.is_symlink() and not folder.exists():
            raise
        return []


def _may_be_there(path: Path) -> bool:
    """Whether there is anything of this name, in a folder that may forbid to look."""
    try:
        os.lstat(path)
        return True
    except (FileNotFoundError, NotADirectoryError):
        return path.parent.is_symlink() and not path.parent.exists()  # its disk is away
    except OSError:
        return True


def _may_hold_answers(folder: Path) -> bool:
    """Whether a folder holds streams, or nobody may look."""
    try:
        return any(map(_is_stream, _names(folder)))
    except OSError:
        return True


def _is_stream(name: str) -> bool:
    return name.endswith(LINES) and bool(NAME.fullmatch(name[: -len(LINES)]))


def _shown(name: str) -> str:
    """A file's name as text: what is no UTF-8 in it is written with backslashes."""
    return name.encode("utf-8", "backslashreplace").decode()


def _content(path: Path) -> bytes:
    """What a file holds; nothing if there is none. A link to nothing or a pipe is an OSError."""
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0)
    try:  # a pipe without a writer must not be waited for
        descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        if path.is_symlink():
            raise
        return b""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "Not a regular file", str(path))
    with open(descriptor, "rb") as file:
        return file.read()


def _is_folder(path: Path) -> bool:
    """Whether it is a folder that lies here itself: no link leads to it."""
    return path.is_dir() and not path.is_symlink() and not path.parent.is_symlink()


def _stamp(path: Path) -> Hashable:
    """What changes when a file does; an OSError for one that is gone."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _write(path: Path, start: int, content: bytes) -> None:
    """Write from a byte on, to the file's new end, and onto the disk; what fails is undone."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
    with open(descriptor, "r+b", buffering=0) as file:
        file.seek(start)
        overwritten = file.read(len(content)) or b""
        try:
            file.seek(start)
            left = memoryview(content)
            while left:
                left = left[file.write(left) or 0 :]
            file.truncate()
            os.fsync(descriptor)
        except OSError:
            with suppress(OSError):  # nothing of it may pass for stored when it is sent again
                file.seek(start)
                file.write(overwritten)
                file.truncate()
            raise


def _sync(*folders: Path) -> None:
    """Names that are new or gone are so on the disk; Windows cannot, and needs not, be asked to."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    for folder in folders:
        with suppress(FileNotFoundError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
