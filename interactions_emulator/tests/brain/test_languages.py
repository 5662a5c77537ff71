"""Languages: the same questions in other scripts find their sentences."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from brain.conftest import SEARCH, said
from interactions_emulator.brain import make_brain
from interactions_emulator.brain.protocol import Brain, Turn
from interactions_emulator.corpus.index import Corpus
from interactions_emulator.corpus.words import sentences, terms

TEXTS = {
    "de": "Ein Gezeitenkraftwerk wandelt die Energie von Ebbe und Flut in Strom um. Das größte steht in Südkorea.",
    "fr": "L'énergie marémotrice exploite le mouvement des marées pour produire de l'électricité.",
    "ru": "Приливная энергия превращает движение воды в электричество каждый день.",
    "el": "Η παλιρροιακή ενέργεια μετατρέπει την κίνηση του νερού σε ηλεκτρισμό κάθε μέρα.",
    "ar": "طاقة المد والجزر هي شكل من أشكال الطاقة المتجددة التي تحول حركة المياه إلى كهرباء.",
    "hi": "ज्वारीय ऊर्जा समुद्र के पानी की गति को बिजली में बदलती है और यह स्वच्छ है।",
    "zh": "潮汐能是由潮汐涨落产生的能量，可以用来发电。",
    "ja": "潮力発電は潮の満ち引きを利用して電気を作る方法です。",
    "ko": "조력 발전은 바닷물의 밀물과 썰물을 이용하여 전기를 만드는 방법이다.",
    "th": "พลังงานน้ำขึ้นน้ำลงเป็นพลังงานหมุนเวียนที่ได้จากการเคลื่อนที่ของน้ำทะเล",
    "emoji": "🎉 Parties are fun and 🎈 balloons fly high over the town, as everybody knows.",
}
QUESTIONS = {
    "de": "Was ist ein Gezeitenkraftwerk?",
    "fr": "Qu'est-ce que l'énergie marémotrice ?",
    "ru": "Что такое приливная энергия?",
    "el": "παλιρροιακή ενέργεια;",
    "ar": "ما هي طاقة المد والجزر؟",
    "hi": "ज्वारीय ऊर्जा क्या है?",
    "zh": "什么是潮汐能？",
    "ja": "潮力発電とは何ですか？",
    "ko": "조력 발전이란 무엇입니까?",
    "th": "พลังงานน้ำขึ้นน้ำลงคืออะไร",
    "emoji": "What are 🎈 balloons?",
}
BRIEFS = {
    "de": "Erforsche Gezeitenkraftwerke",
    "ru": "Исследуй приливную энергию",
    "ar": "ابحث عن طاقة المد والجزر",
}


@pytest.fixture(scope="module")
def polyglot(tmp_path_factory: pytest.TempPathFactory) -> Brain:
    folder: Path = tmp_path_factory.mktemp("languages")
    for name, text in TEXTS.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return make_brain(Corpus.open(folder))


@pytest.mark.parametrize("language", TEXTS)
def test_a_question_is_answered_with_a_sentence_in_its_language(polyglot: Brain, language: str) -> None:
    turn = Turn("m", False, (said(QUESTIONS[language]),), 1, (SEARCH,), documents_url="http://x/")
    [*_, answer] = (beat.step for beat in polyglot(turn))
    content = answer["content"][0]
    assert sentences(TEXTS[language])[0] in content["text"]
    raw = content["text"].encode()
    for note in content["annotations"]:
        assert raw[note["start_index"] : note["end_index"]].decode() in TEXTS[language]


@pytest.mark.parametrize("language", BRIEFS)
def test_research_quotes_documents_in_the_language_of_the_brief(polyglot: Brain, language: str) -> None:
    turn = Turn("deep-research", True, (said(BRIEFS[language]),), 1)
    report = list(polyglot(turn))[-1].step
    assert sentences(TEXTS[language])[0] in report["content"][0]["text"]
    json.dumps(report, ensure_ascii=False).encode()


def test_word_matching_ignores_accents_articles_and_endings() -> None:
    assert terms("L'Énergie") == terms("energie")
    assert terms("приливную энергию") == terms("приливная энергия")
    assert terms("الطاقة") == terms("طاقة")
    assert terms("ज्वारीय") == ["ज्वारीय"]


def test_sentences_are_split_at_hindi_and_arabic_punctuation() -> None:
    assert sentences("यह एक वाक्य है। यह दूसरा है।") == ["यह एक वाक्य है।", "यह दूसरा है।"]
    assert sentences("هل هذا سؤال؟ نعم هو سؤال.") == ["هل هذا سؤال؟", "نعم هو سؤال."]
