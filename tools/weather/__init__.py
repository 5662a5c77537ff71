"""An agent tool for the weather: finds a place by name and gets its forecast from Open-Meteo."""

from tools.weather.forecast import get_weather

__all__ = ["get_weather"]
