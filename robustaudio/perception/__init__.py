"""Clean and perturbed sounds in, levels and distances in dB out."""
