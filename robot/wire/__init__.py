"""What is said between processes, how it is packed, where it flows and how it is kept."""
