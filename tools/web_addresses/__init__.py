"""Web addresses from outside: parses them, tells public from private ones, and sends requests to public ones only."""
