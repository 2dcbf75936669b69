"""A store for Hugging Face Spaces, whose disk is lost at a restart: a private data set on the Hub.

Answers stand in a folder as `JsonLinesStore` writes them; a scheduler commits it every few minutes
and whenever a listener has finished. The Space's own disk has every answer at once; what the Hub
lacks when a Space is killed is at most what came in since the last commit.

A deletion leaves a tombstone, an empty name beside what it deletes, until the Hub has followed:
what the Hub brings back in the meantime is deleted again.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from huggingface_hub import CommitInfo, CommitOperationDelete, CommitScheduler, HfApi
from huggingface_hub.errors import HfHubHTTPError

from robustaudio.listening.run.json_lines import TOMBSTONE, JsonLinesStore
from robustaudio.listening.run.store import FOLDER, STUDY, Event

EVERY_MINUTES = 5.0
URGENT_KINDS = ("end", "open", "expires")  # events that are worth a commit of their own
KEPT_FILES = ["*/*.jsonl", f"*/*{TOMBSTONE}"]


class HubStore(JsonLinesStore):
    """The folder, with a far end that it is copied to; `connect` fills it from there."""

    kept = "in a private data set on the Hugging Face Hub, not in public"

    def __init__(self, folder: Path, connect: Callable[[], CommitScheduler]) -> None:
        super().__init__(folder)
        self._claim()
        self.remote = connect()

    def append(self, event: Event) -> bool:
        with self.remote.lock:  # a commit sees whole lines
            stored = super().append(event)
        if stored and event.kind in URGENT_KINDS:
            self.remote.trigger()
        return stored

    def delete(self, study: str, session: str | None = None) -> None:
        tombstone = self._path(study, session or STUDY).with_suffix(TOMBSTONE)
        with self.remote.lock:
            tombstone.parent.mkdir(exist_ok=True)
            tombstone.touch()
            super().delete(study, session)
        self.remote.trigger()


class Scheduler(CommitScheduler):
    """Commits what is new, then deletes what has a tombstone; squashing deletes the past as well.

    One job runs at a time, so that a deletion comes after every commit that still holds the file.
    Tombstones are committed too, and stay until the Hub has followed: what fails is done by the
    next job, and what was killed by the next server.
    """

    def push_to_hub(self) -> CommitInfo | None:
        info = super().push_to_hub()
        with self.lock:
            tombstones = [*self.folder_path.glob(f"*/*{TOMBSTONE}")]
        if tombstones:
            where: dict[str, Any] = {"repo_id": self.repo_id, "repo_type": self.repo_type}
            names = [Path(name) for name in self.api.list_repo_files(**where)]
            buried = {path.relative_to(self.folder_path).with_suffix("") for path in tombstones}
            doomed = [
                CommitOperationDelete(path_in_repo=name.as_posix())
                for name in names
                if not buried.isdisjoint((name.with_suffix(""), name.parent / STUDY))
            ]
            if doomed:
                message = "Deletion of answers"
                self.api.create_commit(**where, operations=doomed, commit_message=message)
            for path in tombstones:
                path.unlink()
        return info


def connect(repository: str, folder: Path, api: HfApi) -> Scheduler:
    """Fills the folder from a private data set, buries what it brings back, and begins to commit.

    Raises:
        ValueError: for a repository that is public: listeners were promised a private one.
    """
    where: dict[str, Any] = {"repo_id": repository, "repo_type": "dataset"}
    api.create_repo(**where, private=True, exist_ok=True)
    if not api.repo_info(**where).private:
        raise ValueError(f"the data set {repository} is public; answers need a private one.")
    here = [path.relative_to(folder).as_posix() for path in folder.glob("*/*.jsonl")]
    api.snapshot_download(
        **where, local_dir=folder, allow_patterns=KEPT_FILES,
        ignore_patterns=here,  # at least as new as there
    )  # fmt: skip
    answers = JsonLinesStore(folder)
    for path in [*folder.glob(f"*/*{TOMBSTONE}")]:
        answers.delete(path.parent.name, None if path.stem == STUDY else path.stem)
    return Scheduler(
        **where, folder_path=folder, every=EVERY_MINUTES, private=True, allow_patterns=KEPT_FILES,
        squash_history=True, hf_api=api,
    )  # fmt: skip


def open_hub_store(repository: str) -> HubStore:
    """The store `hub://owner/dataset`; the token is the environment's own.

    Raises:
        ValueError: for a name without an owner, or a repository that cannot be opened.
    """
    if repository.count("/") != 1:
        raise ValueError(f"hub://{repository} names no data set; hub://owner/dataset would.")
    folder = Path(f"{FOLDER}-hub") / repository.replace("/", "--")
    try:
        return HubStore(folder, partial(connect, repository, folder, HfApi()))
    except (HfHubHTTPError, OSError) as error:
        raise ValueError(f"the data set {repository} cannot be opened: {error}") from error
