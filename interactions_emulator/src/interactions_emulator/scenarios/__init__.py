"""Scripted and recorded answers: their form, the reading of a file, and the script that gives them.

`docs/scenarios.md` describes the form. `recording/file_format.py` describes recorded exchanges, which are entries too.
"""

from interactions_emulator.scenarios.loading import ScenarioFile, Source, load_scenarios
from interactions_emulator.scenarios.matching import Script

__all__ = ["ScenarioFile", "Script", "Source", "load_scenarios"]
