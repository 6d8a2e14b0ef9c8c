"""Where publications and rows are kept."""
