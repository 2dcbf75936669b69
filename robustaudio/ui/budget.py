"""How long one run may compute on a server that others use, too."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Budget:
    """Seconds from when it is made; what was found by then is the run's result."""

    seconds: float
    clock: Callable[[], float] = time.monotonic
    ended: bool = False  # whether it has ended anything
    begun: float = field(init=False)

    def __post_init__(self) -> None:
        self.begun = self.clock()

    def over(self) -> bool:
        """Whether work has to end, which it then is taken to do."""
        self.ended = self.ended or self.clock() - self.begun >= self.seconds
        return self.ended

    @property
    def record(self) -> dict:
        """What a result says of it: nothing where it came to its own end."""
        return {"limit_s": self.seconds} if self.ended else {}
