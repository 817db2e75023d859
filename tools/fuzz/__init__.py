"""Fuzzing: mutated inputs of every kind, each in a child process with limits. `python -m tools.fuzz --minutes 1`."""
