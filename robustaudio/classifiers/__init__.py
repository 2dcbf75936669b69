"""Representations in, logits out: classifiers, and the checkpoints that hold them."""
