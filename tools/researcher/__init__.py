"""The researcher agent: turns a user's requests into calls of `tools.research`. Spending needs the user's yes."""
