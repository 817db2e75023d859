"""Both inference runs: run 1 makes the profile, run 2 the sensitivity list."""
