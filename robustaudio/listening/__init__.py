"""Sounds and answers in, what people hear out: trials, procedures and statistics."""
