"""One pass = one file = one command-line name."""
