"""The rules of the built-in brain, which answers from the request and the corpus and invents no facts."""
