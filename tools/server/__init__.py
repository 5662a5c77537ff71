"""The production server: ADK's FastAPI application behind authentication, with limits, health checks and webhooks."""
