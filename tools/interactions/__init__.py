"""The Interactions API without ADK: client, transport, and the choice of the server."""
