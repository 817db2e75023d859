"""What a pass is, and how pipelines of them are written, read and run."""
