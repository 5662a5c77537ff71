"""What stands before the routes of `desk serve`: identity, limits, locks and idempotency."""
