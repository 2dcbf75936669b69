"""The gate: what every request passes before a page sees it, and every answer on its way out.

`Gate` is ASGI middleware. It knows neither Gradio nor the listening tests: which paths are open,
who may ask, and how much, are values.
"""

from robustaudio.gate.gate import Gate, Rules

__all__ = ["Gate", "Rules"]
