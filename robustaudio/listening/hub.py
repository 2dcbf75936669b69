"""A store for Hugging Face Spaces, whose disk is lost at a restart: a private data set on the Hub.

Answers stand in a folder as `JsonLinesStore` writes them; a scheduler commits it every few minutes
and whenever a listener has finished. The Space's own disk has every answer at once; what the Hub
lacks when a Space is killed is at most what came in since the last commit.
"""

import os
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from robustaudio.listening.store import Event, JsonLinesStore, checked

EVERY_MINUTES = 5.0
LAST_KINDS = ("end", "open", "close")  # events that are worth a commit of their own


class Remote(Protocol):
    """The far end: what a scheduler of commits offers, and a way to delete."""

    lock: AbstractContextManager[Any]

    def trigger(self) -> object:
        """Commits soon, in the background."""
        ...

    def delete(self, path: str) -> None:
        """Removes a file, or a folder whose path ends in `/`, from the repository and its past."""
        ...


class HubStore(JsonLinesStore):
    """The folder, with a far end that it is copied to."""

    def __init__(self, folder: Path, remote: Remote) -> None:
        super().__init__(folder)
        self.remote = remote

    def append(self, event: Event) -> bool:
        with self.remote.lock:  # a commit sees whole lines
            stored = super().append(event)
        if stored and event.kind in LAST_KINDS:
            self.remote.trigger()
        return stored

    def delete(self, study: str, session: str | None = None) -> None:
        with self.remote.lock:
            super().delete(study, session)
        name = checked(study)
        self.remote.delete(f"{name}/" if session is None else f"{name}/{checked(session)}.jsonl")


class DatasetRepository:
    """A private data set repository; history is squashed, so what is deleted is gone.

    Raises:
        ValueError: for a repository that is public: listeners were promised a private one.
    """

    def __init__(self, repository: str, folder: Path, api: Any, scheduler: Callable) -> None:
        self._where = {"repo_id": repository, "repo_type": "dataset"}
        self._api = api
        api.create_repo(**self._where, private=True, exist_ok=True)
        if not api.repo_info(**self._where).private:
            raise ValueError(f"the data set {repository} is public; answers need a private one.")
        api.snapshot_download(**self._where, local_dir=folder, allow_patterns="*/*.jsonl")
        self._scheduler = scheduler(
            **self._where, folder_path=folder, every=EVERY_MINUTES, private=True,
            allow_patterns="*/*.jsonl", squash_history=True, hf_api=api,
        )  # fmt: skip
        self.lock = self._scheduler.lock

    def trigger(self) -> object:
        return self._scheduler.trigger()

    def delete(self, path: str) -> None:
        remove = self._api.delete_folder if path.endswith("/") else self._api.delete_file
        if self._api.get_paths_info(paths=[path.rstrip("/")], **self._where):
            remove(path_in_repo=path, **self._where)
            self._api.super_squash_history(**self._where)


def open_dataset_repository(repository: str) -> tuple[Path, DatasetRepository]:
    """The folder and the far end of `hub://owner/dataset`; the token is the environment's own.

    Raises:
        ValueError: for a name without an owner, or a repository that cannot be opened.
    """
    from huggingface_hub import CommitScheduler, HfApi
    from huggingface_hub.errors import HfHubHTTPError

    if repository.count("/") != 1:
        raise ValueError(f"hub://{repository} names no data set; hub://owner/dataset would.")
    root = os.environ.get("ROBUSTAUDIO_LISTENING", tempfile.gettempdir())
    folder = Path(root) / "listening-hub" / repository.replace("/", "--")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return folder, DatasetRepository(repository, folder, HfApi(), CommitScheduler)
    except (HfHubHTTPError, OSError) as error:
        raise ValueError(f"the data set {repository} cannot be opened: {error}") from error
