"""Jobs that are done again and again beside the requests, in a thread of their own."""

import threading
from collections.abc import Callable


def every(
    seconds: float, job: Callable[[], object], failed: Callable[[Exception], object], name: str
) -> Callable[[], None]:
    """Do `job` now and every `seconds` in the background; returns what stops it.

    An error of the job goes to `failed`, and the job is tried again the next time.
    """
    stopped = threading.Event()

    def work() -> None:
        while not stopped.is_set():
            try:
                job()
            except Exception as error:
                failed(error)
            stopped.wait(seconds)

    threading.Thread(target=work, daemon=True, name=name).start()
    return stopped.set
