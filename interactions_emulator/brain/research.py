from collections.abc import Iterator
from interactions_emulator.turn import Beat, Turn
from interactions_emulator.corpus import Corpus
def research(turn: Turn, corpus: Corpus) -> Iterator[Beat]:
    yield from ()
