"""Words while a run waits or cannot begin."""

WAITING = "<p class='ra-progress' role='status'>waiting for its turn …</p>"


UNREACHED = (
    "<p class='ra-progress ra-unreached' role='alert'>The server cannot be reached, so nothing was "
    "computed. Check the connection, then press the button again.</p>"
)


def waiting_words(before: int, wait_s: float | None) -> str:
    """Where a run stands that waits for its turn."""
    several = f"{before} runs are before yours"
    runs = {0: "yours is next", 1: "1 run is before yours"}.get(before, several)
    # rounded to 5 s, so that the words do not change all the time
    about = "" if wait_s is None else f", about {max(5, 5 * round(wait_s / 5))} s"
    return f"<p class='ra-progress' role='status'>waiting: {runs}{about} …</p>"
