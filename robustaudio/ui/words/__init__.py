"""The sentences of the page, one file for each tab: results as words, apart from widgets."""
