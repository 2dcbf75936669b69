"""Sessions and rows of simulated listeners, without a store."""

from collections.abc import Sequence

import numpy as np

from robustaudio.listening.design.trial import Procedure, Response, Row, to_rows
from robustaudio.listening.simulated_listeners import Listener, responses


def simulated_rows(procedure: Procedure, listeners: Sequence[Listener], seed: int) -> list[Row]:
    """A study's rows, of one session per listener, as `analyse` takes them."""
    return [
        row
        for n, listener in enumerate(listeners)
        for response in simulated_session(procedure, listener, seed + n)
        for row in to_rows(response, f"simulated-{n}")
    ]


def simulated_session(procedure: Procedure, listener: Listener, seed: int) -> list[Response]:
    """A whole session, by the procedure itself."""
    return [*responses(procedure, listener, seed, np.random.default_rng(seed))]
