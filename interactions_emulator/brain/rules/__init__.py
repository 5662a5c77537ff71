"""The built-in brain: rules that read what a request declares. It invents no fact."""
