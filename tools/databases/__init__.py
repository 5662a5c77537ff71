"""SQLite and PostgreSQL: addresses, connections and transactions."""
