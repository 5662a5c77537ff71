"""What the agents of Research Desk can do."""
