"""Samples as runs over a model's inputs."""
