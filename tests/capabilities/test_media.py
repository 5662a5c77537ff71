"""Media types are compared without case and parameters, wherever a file goes."""

from __future__ import annotations

import pytest
from google.genai import types

from tools.adk.attachments import adapt_files, text_of_file
from tools.interactions.media_types import decode_text, is_text, media_type
from tools.researcher.brief_files import inputs_of


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ("TEXT/HTML", "text/html"),
        ("Application/JSON ; charset=utf-8", "application/json"),
        ("image/png;q=1;r=2", "image/png"),
        (None, ""),
        ("", ""),
    ],
)
def test_media_types_are_compared_without_case_and_parameters(value: str | None, plain: str) -> None:
    assert media_type(value) == plain


def test_is_text_accepts_only_textual_media_types() -> None:
    for value in ("text/x-anything", "application/ld+json", "image/svg+xml", "Application/XML;v=1", "application/sql"):
        assert is_text(value), value
    for other in ("application/pdf", "image/png", "application/octet-stream", "video/text", None):
        assert not is_text(other), other


@pytest.mark.parametrize(
    ("value", "data", "text"),
    [
        ("text/plain; charset=iso-8859-1", "Größe".encode("latin-1"), "Größe"),
        ('text/plain;CHARSET="UTF-16"', "Größe".encode("utf-16"), "Größe"),
        ("text/plain; charset=shift_jis", "潮".encode("shift_jis"), "潮"),
        ("text/plain", b"Gr\xf6\xdfe", "Gr\ufffd\ufffde"),
        ("text/plain; charset=utf-nonsense", b"tides", "tides"),
        ("text/plain; charset=unicode_escape", rb"\x41", r"\x41"),  # a codec of Python's, not a charset
    ],
)
def test_text_is_decoded_by_its_charset(value: str, data: bytes, text: str) -> None:
    assert decode_text(data, value) == text


def test_moderation_and_model_get_the_same_text_for_any_media_type_spelling() -> None:
    page = types.Part(inline_data=types.Blob(mime_type="TEXT/HTML; charset=utf-16", data="tides".encode("utf-16")))
    picture = types.Part(inline_data=types.Blob(mime_type="IMAGE/PNG; a=b", data=b"\x89PNG"))
    assert text_of_file(page) == "tides"
    (content,) = adapt_files([types.Content(role="user", parts=[page, picture])], "gemini-3.8-flash")
    first, second = content.parts or ()
    assert first.text and "tides" in first.text
    assert second.inline_data and second.inline_data.mime_type == "image/png"


def test_research_gets_the_same_files_for_any_media_type_spelling() -> None:
    page = types.Part(inline_data=types.Blob(mime_type="TEXT/HTML; charset=utf-16", data="tides".encode("utf-16")))
    picture = types.Part(inline_data=types.Blob(mime_type="IMAGE/PNG; a=b", data=b"\x89PNG"))
    inputs, left = inputs_of([page, picture])
    assert [(each["type"], each["mime_type"], each["data"]) for each in inputs] == [
        ("document", "text/html", "dGlkZXM="),
        ("image", "image/png", "iVBORw=="),
    ]
    assert left == []


@pytest.mark.parametrize(
    "address",
    [
        "gs://bucket/desk/bob/report.pdf/0",
        "file:///etc/passwd",
        "HTTP://10.0.0.1/x",
        "",
        "files/abc",
        "https://generativelanguage.googleapis.com/v1beta/files/abc",
        "https://GenerativeLanguage.GoogleAPIs.com.:443/v1beta/files/abc",
        "https://e.org@generativelanguage.googleapis.com/v1beta/files/abc",
        "https://generativelanguage%2egoogleapis.com/v1beta/files/abc",
        "https://generativelanguage\uff0egoogleapis\u3002com/v1beta/files/abc",
        "https://generativelanguage.googleapis.com\\@e.org/v1beta/files/abc",
        "https://europe-west1-aiplatform.googleapis.com/v1/files/abc",
        "https://[::1/files/abc",
        "https:///files/abc",
    ],
)
def test_a_file_named_by_an_address_that_the_api_reads_with_the_rights_of_the_operator_is_not_sent(
    address: str,
) -> None:
    part = types.Part(file_data=types.FileData(file_uri=address, mime_type="application/pdf"))
    addresses = ["https://e.org/a.pdf", "https://storage.googleapis.com/public/a.pdf"]
    public = [types.Part(file_data=types.FileData(file_uri=each, mime_type="application/pdf")) for each in addresses]
    (content,) = adapt_files([types.Content(role="user", parts=[part, *public])], "gemini-3.8-flash")
    first, *others = content.parts or ()
    assert first.text and "attach the file itself" in first.text and not first.file_data
    assert [each.file_data and each.file_data.file_uri for each in others] == addresses
    inputs, left = inputs_of([part, *public])
    assert [each["uri"] for each in inputs] == addresses
    assert left == ["application/pdf at an address that is not read"]
