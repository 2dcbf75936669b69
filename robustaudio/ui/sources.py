"""The clip that a visitor works on."""

from dataclasses import dataclass
from pathlib import Path

UPLOAD = "your own clip"


@dataclass(frozen=True)
class Source:
    """Which clip a visitor works on, in which task; `path` was chosen from the list or uploaded.

    `visit` is the folder of the visitor's own clips, once there is one. `refused` is the sentence
    on a file that cannot be used: it is all that there is of it.
    """

    name: str
    path: Path
    task: str
    uploaded: bool = False
    visit: str = ""
    refused: str = ""

    @property
    def label(self) -> str | None:
        """What the clip is, as it is shown ("label · source"); None of a visitor's own."""
        return None if self.uploaded else self.name.split(" · ")[0]

    @property
    def gone(self) -> str:
        """The sentence on a clip whose file is no longer there."""
        if self.uploaded:
            return "your clip is no longer on the server; upload it again."
        return f"the clip {self.name!r} is no longer on the server; choose another one."

    @property
    def shown(self) -> dict:
        """As much of it as the page needs to know which clip it speaks of."""
        return {"task": self.task, "name": self.name, "uploaded": self.uploaded}


class NoClip(ValueError):
    """Raised where there is no clip to work on; its sentence stands where a verdict would."""
