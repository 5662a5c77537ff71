"""The older generateContent, translated to interactions and back."""
