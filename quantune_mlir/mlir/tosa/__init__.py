"""What is known of TOSA ops."""
