"""The Interactions API without ADK: client, transport, and choice of the server."""
