"""What one kernel computes together."""
