"""The middleware of `desk serve`: authentication, limits, locks and idempotency."""
