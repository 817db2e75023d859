"""One operator's kernels a file."""
