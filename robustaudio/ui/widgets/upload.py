"""The way in for a visitor's own sound: what the file dialog offers, what the microphone needs.

Gradio's own box goes by the type that a browser guesses from a file's name: it would refuse a
.webm ("video/webm") and a phone's .amr (no type at all). Here the decoder decides.
"""

import json

import gradio as gr

from robustaudio.audio.sound_file import EXTENSIONS

MAX_UPLOAD_BYTES = 50 * 2**20  # two minutes of stereo floats at 48 kHz have 46 MB
NO_MICROPHONE = (
    "<p class='ra-note' role='note'><strong>No microphone here.</strong> Browsers give the "
    "microphone to https pages and to this computer only. Open the app by https "
    "(<code>app.py --self-signed</code>), or upload a recording: a voice memo of your phone "
    "will do.</p>"
)
# what to show of the microphone: the box (without it), the sentence
MICROPHONE = f"""() => {{
  if (window.isSecureContext && navigator.mediaDevices?.getUserMedia)
    return {json.dumps([gr.skip(), ""])};
  return {json.dumps([gr.update(sources=["upload"]), NO_MICROPHONE])};
}}"""
# the listeners stand on the document: they are asked before Gradio's own on the box
ANY_SOUND = f"""() => {{
  const INPUT = "#upload input[type=file]";
  const passed = new WeakSet(); // events of our own
  const sound = (file) => file.type.startsWith("audio/")
    ? file : new File([file], file.name, {{ type: "audio/x-any" }});
  const bagOf = (list) => {{
    const bag = new DataTransfer();
    for (const file of list) bag.items.add(sound(file));
    return bag;
  }};
  const tooLarge = (list) => {{
    const file = [...list].find((file) => file.size > {MAX_UPLOAD_BYTES});
    if (!file) return false;
    const told = document.querySelector("#too-large textarea, #too-large input");
    told.value = JSON.stringify([file.name, file.size, Date.now()]); // always another
    told.dispatchEvent(new Event("input", {{ bubbles: true }}));
    return true;
  }};
  document.addEventListener("click", ({{ target }}) => {{
    if (target.matches?.(INPUT)) target.accept = {json.dumps(",".join(["audio/*", *EXTENSIONS]))};
  }}, true);
  document.addEventListener("change", (event) => {{
    const input = event.target;
    if (!input.matches?.(INPUT) || !input.files.length) return;
    if (tooLarge(input.files)) event.stopImmediatePropagation();
    else input.files = bagOf(input.files).files;
  }}, true);
  document.addEventListener("drop", (event) => {{
    const box = event.target.closest?.("#upload");
    if (!box || passed.has(event) || !event.dataTransfer?.files.length) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const list = event.dataTransfer.files;
    const dataTransfer = bagOf(tooLarge(list) ? [] : list);
    const again = new DragEvent("drop", {{ bubbles: true, cancelable: true, dataTransfer }});
    passed.add(again);
    event.target.dispatchEvent(again);
  }}, true);
}}"""

# a server that takes no file says why; Gradio's boxes say "Error"
REFUSED = """() => {
  let box = null; // in which a file was chosen last
  const chosen = ({ target }) => {
    box = target.closest?.(".block") ?? box;
    box?.querySelector(".ra-not-taken")?.remove();
  };
  for (const event of ["change", "drop", "click"]) document.addEventListener(event, chosen, true);
  const say = (sentence) => {
    const told = document.querySelector("#too-large textarea, #too-large input");
    if (told && (!box || box.closest("#upload"))) {
      told.value = JSON.stringify([sentence, Date.now()]); // always another
      told.dispatchEvent(new Event("input", { bubbles: true }));
      return;
    }
    const note = document.createElement("p");
    note.className = "ra-note ra-not-taken";
    note.role = "alert";
    note.textContent = sentence;
    box?.append(note);
  };
  const { fetch } = window;
  window.fetch = async (...asked) => {
    const answer = await fetch.apply(window, asked);
    const { pathname } = new URL(asked[0]?.url ?? asked[0], document.baseURI);
    if (!answer.ok && pathname.endsWith("/gradio_api/upload")) say(await answer.clone().text());
    return answer;
  };
}"""
MOST_WORDS = 300  # characters of a sentence


def too_large(message: str) -> str:
    """The sentence on a file that the browser did not send, or that the server did not take.

    Raises:
        ValueError: for what `ANY_SOUND` and `REFUSED` do not write.
    """
    try:
        name, *size, _ = json.loads(message)
        if not size:
            return str(name)[:MOST_WORDS]
        most, has = (number / 2**20 for number in (MAX_UPLOAD_BYTES, *size))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError("the file is too large.") from error
    return f"{name} has {has:.0f} MB; at most {most:.0f} MB, please."
