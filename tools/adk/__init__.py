"""ADK on the Interactions API: the model, the agent class, the plugins and the session services."""
