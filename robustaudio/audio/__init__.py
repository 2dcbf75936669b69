"""Sound files and data sets in, clips out (mono, full scale +-1, one known rate)."""
