"""Files that are written whole, that only their user can read, and that are no pipes or devices."""
