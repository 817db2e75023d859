"""Files read and written with care, and the data that comes with the package."""
