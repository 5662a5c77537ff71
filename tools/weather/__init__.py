"""Weather for an agent: places by name, and forecasts of an Open-Meteo compatible service."""

from tools.weather.forecast import get_weather

__all__ = ["get_weather"]
