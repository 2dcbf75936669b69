"""What Gradio keeps of visits and runs, bounded."""

import gradio as gr

from robustaudio.ui.shares import MOST_WAITING

EVENTS = 100  # of which Gradio keeps when they came


def keep_tidy(page: gr.Blocks) -> None:
    """Of a page that is served: its queue holds every run that waits for its share.

    It has 40 entries by default, which are no threads; the quick handlers keep those. A table of
    all events is made after each by Gradio, for a page on them that is closed here: never mind.
    """
    queue = page._queue
    queue.active_jobs += [None] * MOST_WAITING
    queue.ANALYTICS_MAX_EVENTS, queue.ANAYLTICS_CACHE_FREQUENCY = EVENTS, 10**9
