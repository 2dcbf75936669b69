"""A classifier and a set of perturbations in, certificates out: intervals and smoothing."""
