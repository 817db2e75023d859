"""What any front end needs."""
