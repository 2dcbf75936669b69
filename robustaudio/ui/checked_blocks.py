"""The page's door: values that no browser sends are refused, and every error is a sentence."""

import logging
import re
from typing import Any

import gradio as gr
from gradio.components import Component

from robustaudio.columns import is_number
from robustaudio.ui.errors import FAILED, UNFIT, one_sentence

OF_A_RANGE = re.compile(r"Value [-+.\w]+ is (less than minimum|greater than maximum) value \S+\.")
LARGEST = 1e300  # number that a field may hold
log = logging.getLogger(__name__)


class Page(gr.Blocks):
    """Blocks that take what their components can hold, and answer errors in sentences of ours."""

    async def preprocess_data(self, block_fn: Any, *args: Any, **more: Any) -> Any:
        """The values that the browser sent, as the handler takes them."""
        try:
            values = await super().preprocess_data(block_fn, *args, **more)
        except Exception as error:
            words = error.message if isinstance(error, gr.Error) else str(error)
            raise _refused(block_fn, words) from None
        for component, value in zip(block_fn.inputs, values, strict=True):
            if not fits(component, value):
                raise _refused(block_fn, f"{value!r:.200} for a {type(component).__name__}")
        return values

    async def process_api(self, *args: Any, **more: Any) -> Any:
        """The answer of a handler."""
        try:
            return await super().process_api(*args, **more)
        except gr.Error as error:
            if error.title == FAILED:
                raise
            raise one_sentence(RuntimeError(error.message)) from error
        except Exception as error:
            raise one_sentence(error) from None


def fits(component: Component | Any, value: Any) -> bool:
    """Whether a handler may get the value of a component; Gradio looks at choices and ranges only.

    An emptied field is None.
    """
    match component:
        case gr.Radio():
            return isinstance(value, str)
        case gr.Number() | gr.Slider():
            return value is None or (is_number(value) and abs(value) < LARGEST)
        case gr.Checkbox():
            return isinstance(value, bool)
        case gr.Textbox() | gr.Dropdown():
            return value is None or isinstance(value, str)
        case gr.CheckboxGroup():
            return isinstance(value, list) and all(isinstance(choice, str) for choice in value)
    return True


def _refused(block_fn: Any, words: str) -> gr.Error:
    """The answer to values that cannot be used; the log has one line of them."""
    log.warning("refused for %s: %s", block_fn.name, " ".join(words.split())[:300])
    return one_sentence(ValueError(words if OF_A_RANGE.fullmatch(words) else UNFIT))
