"""A recipe and a data set in, a trained classifier with its card out."""
