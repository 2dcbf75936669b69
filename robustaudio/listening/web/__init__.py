"""The web side of a study: requests of browsers in, pages, trials, sounds and charts out."""
