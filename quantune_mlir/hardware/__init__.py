"""What a target is, and what this machine is."""
