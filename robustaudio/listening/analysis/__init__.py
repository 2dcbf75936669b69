"""What answers mean: a table of responses in, thresholds, tests and claims out."""
