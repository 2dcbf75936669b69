"""The Gradio interface: the only part of the package that knows Gradio."""
