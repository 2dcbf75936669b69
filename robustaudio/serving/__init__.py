"""How the pages are served: over https or behind a prefix, within limits, in turns.

In: what the command line and the environment say. Out: an address, and what one visitor may take.
"""
