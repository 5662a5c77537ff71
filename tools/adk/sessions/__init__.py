"""Session services that read only the newest events of a conversation, and write together what a turn changes."""
