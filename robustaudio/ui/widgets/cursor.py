"""The slider over frames, alone: of a module with a component Gradio writes a stub beside it."""

import gradio as gr


class Cursor(gr.Slider):
    """A slider over frames: of a number typed outside them `frame_at` takes the nearest one."""

    is_template = True

    def preprocess(self, payload: float) -> float:
        return payload
