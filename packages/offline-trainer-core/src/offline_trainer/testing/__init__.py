"""What plugin authors test with; imported by nothing in the framework itself."""
