"""Writes files whole, creates files that only their user can read, and refuses pipes and devices."""
