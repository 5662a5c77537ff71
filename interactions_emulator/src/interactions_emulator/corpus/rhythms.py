"""Says in plain English when something is to be repeated: “jeden Montag um 9 Uhr” is “every monday at 9:00”."""

from __future__ import annotations

import re

_UNITS = {
    "day": "tag jours día giorno",
    "week": "woche semaine semaines semana settimana",
    "month": "monat mois mes mese",
    "monday": "montag lundi lundis lunes lunedì",
    "tuesday": "dienstag mardi mardis martes martedì",
    "wednesday": "mittwoch mercredi mercredis miércoles mercoledì",
    "thursday": "donnerstag jeudi jeudis jueves giovedì",
    "friday": "freitag vendredi vendredis viernes venerdì",
    "saturday": "samstag samedi samedis sábado sábados sabato",
    "sunday": "sonntag dimanche dimanches domingo domingos domenica",
}
"""Maps an English unit of time to its names in German, French, Spanish and Italian."""
_ENGLISH = {name: unit for unit, names in _UNITS.items() for name in names.split()}
_EVERY = re.compile(
    rf"(?i)\b(?:jede[nrs]?|chaque|tou(?:te)?s les|cada|tod[oa]s l[oa]s|ogni) ({'|'.join(_ENGLISH)})\b"
    r"(?P<at> (?:um|à|a las|alle)(?= \d))?"
)
_IN_A_MONTH = re.compile(
    r"(?i)\b(?:(?:höchstens|maximal|au plus|como máximo|máximo|massimo) )?(\d[\d.,]*) ?"
    r"(?:dollars?|dólares|dollari|usd|\$) (?:im monat|pro monat|par mois|al mes|por mes|al mese)\b"
    r"(?: (?:höchstens|maximal|maximum|au plus|como máximo|massimo))?"
)
_CLOCK = re.compile(r"(?i)\bat (\d{1,2})(?::(\d\d))?(?: ?([ap])m\b| (?:o'clock|uhr|heures?)\b)?(?![\w%])")


def in_english(text: str) -> str:
    """Replaces the words for “every Monday at” and “10 dollars a month” in four languages by English ones."""
    text = _EVERY.sub(lambda found: f"every {_ENGLISH[found[1].casefold()]}{' at' if found['at'] else ''}", text)
    return _IN_A_MONTH.sub(r"at most \1 dollars a month", text)


def in_24_hours(text: str) -> str:
    """Writes the times of day in a text with 24 hours: “at 9” and “at 7 pm” are “at 9:00” and “at 19:00”."""
    return _CLOCK.sub(_clock, text.replace(" at noon", " at 12:00"))


def _clock(at: re.Match[str]) -> str:
    return f"at {int(at[1]) % 12 + 12 * (at[3] in 'pP') if at[3] else at[1]}:{at[2] or '00'}"
