"""The way in for a visitor's own sound: what the file dialog offers, what the microphone needs.

Gradio's own box goes by the type that a browser guesses from a file's name: it would refuse a
.webm ("video/webm") and a phone's .amr (no type at all). Here the decoder decides.
"""

import json

import gradio as gr

from robustaudio.audio.sound_file import EXTENSIONS
from robustaudio.ui.events import script

MAX_UPLOAD_BYTES = 50 * 2**20  # two minutes of stereo floats at 48 kHz have 46 MB
NO_MICROPHONE = (
    "<p class='ra-note' role='note'><strong>No microphone here.</strong> Browsers give the "
    "microphone to https pages and to this computer only. Open the app by https "
    "(<code>app.py --self-signed</code>), or upload a recording: a voice memo of your phone "
    "will do.</p>"
)
READY = [gr.skip(), ""]  # the box and the sentence, with a microphone
MISSING = [gr.update(sources=["upload"]), NO_MICROPHONE]
MICROPHONE = script("microphone", READY, MISSING)
TAKES = script("upload", MAX_UPLOAD_BYTES, ",".join(["audio/*", *EXTENSIONS]))
MOST_WORDS = 300  # characters of a sentence


def too_large(message: str) -> str:
    """The sentence on a file that the browser did not send, or that the server did not take.

    Raises:
        ValueError: for what `assets/page/upload.js` does not write.
    """
    try:
        name, *size, _ = json.loads(message)
        if not size:
            return str(name)[:MOST_WORDS]
        most, has = (number / 2**20 for number in (MAX_UPLOAD_BYTES, *size))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError("the file is too large.") from error
    return f"{name} has {has:.0f} MB; at most {most:.0f} MB, please."
