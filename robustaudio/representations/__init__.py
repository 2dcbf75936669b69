"""A waveform in, named representations out: differentiable, batched stages."""
