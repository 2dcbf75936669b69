"""A study under way: listeners' answers in, an append-only store, sessions and tables out."""
