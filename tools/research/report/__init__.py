"""Reports: read from an interaction, rendered and saved."""
