"""The tabs of the page and their panels, one file each: widgets, and what happens on a click."""
