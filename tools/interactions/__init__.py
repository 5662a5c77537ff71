"""The Interactions API without ADK: client, transport, and which server answers."""
