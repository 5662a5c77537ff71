"""The report of a finished research: cited text, sources and pictures, as Markdown, HTML and JSON."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from secrets import token_hex
from string import Template
from typing import Any
from unicodedata import category
from urllib.parse import SplitResult, quote, urlsplit

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict


@dataclass(frozen=True)
class Source:
    """What a citation points at; `url` is empty for a file without an address."""

    number: int
    title: str
    url: str


@dataclass(frozen=True)
class Picture:
    """A picture, named like "figure-1.png"; the report's text shows it as `![figure-1](figure-1.png)`."""

    name: str
    mime_type: str
    data: bytes


@dataclass(frozen=True)
class Report:
    """`text` is Markdown with citations like `[\\[1\\]](url "Title")` and pictures; no list of sources."""

    title: str
    text: str
    sources: tuple[Source, ...]
    pictures: tuple[Picture, ...]
    usage: Mapping[str, int]
    interaction_id: str
    agent: str
    created: str


def read_report(resource: Mapping[str, Any]) -> Report:
    """The report in a finished interaction, given as the JSON object of the resource.

    A citation that cannot be placed still has its source listed. An interaction without an answer gives an
    empty text. Nothing in the resource makes this raise: whatever was paid for is kept.
    """
    text, citations, pictures = _assemble(_answer(resource))
    tokens = _MARKDOWN.parse(text)
    marked, sources = _cite(text, citations, _code_blocks(text, tokens))
    return Report(
        title=_title(tokens),
        text=marked,
        sources=sources,
        pictures=pictures,
        usage={name: count for name, count in _mapping(resource.get("usage")).items() if type(count) is int},
        interaction_id=_text(resource.get("id")),
        agent=_text(resource.get("agent") or resource.get("model")),
        created=_text(resource.get("created")),
    )


def to_markdown(report: Report, pictures: bool = True) -> str:
    """Text and list of sources. `pictures=False` is for a chat, where a file name is a broken picture."""
    text = report.text
    for picture in () if pictures else report.pictures:
        text = re.sub(rf"\n*^{re.escape(_picture_mark(picture.name))}$", "", text, flags=re.MULTILINE)
    blocks = [text.strip("\n")]
    if report.sources:
        blocks += ["## Sources", "\n".join(f"{s.number}. {source_line(s)}" for s in report.sources)]
    return "\n\n".join(filter(None, blocks)) + "\n"


def to_html(report: Report) -> str:
    """A page of its own that is safe to open: nothing is loaded or run, whatever the text says."""
    images = {p.name: f"data:{p.mime_type};base64,{base64.b64encode(p.data).decode()}" for p in report.pictures}
    env: dict[str, Any] = {"images": images}
    tokens = _MARKDOWN.parse(report.text, env)
    _raise_citations(tokens)
    body = _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, env)
    if report.sources:
        items = "".join(f"<li>{_source_html(s)}</li>" for s in report.sources)
        body += f"<h2>Sources</h2><ol>{items}</ol>"
    facts = [report.agent, report.created, report.interaction_id]
    body += f"<footer>{' · '.join(html.escape(fact) for fact in facts if fact)}</footer>"
    return _PAGE.substitute(title=html.escape(report.title), body=_sanitize(body))


def to_json(report: Report) -> str:
    """A JSON object: title, text, interaction_id, agent, created (ISO 8601), usage {name: tokens},
    sources [{number, title, url}] and pictures [{name, mime_type, data: base64}]."""
    pictures = [asdict(p) | {"data": base64.b64encode(p.data).decode()} for p in report.pictures]
    value = {
        "title": report.title,
        "text": report.text,
        "sources": [asdict(source) for source in report.sources],
        "pictures": pictures,
        "usage": dict(report.usage),
        "interaction_id": report.interaction_id,
        "agent": report.agent,
        "created": report.created,
    }
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def from_json(text: str) -> Report:
    """The report that `to_json` wrote.

    Raises:
        ValueError: the text is not such a report.
    """
    value = json.loads(text)
    try:
        sources = tuple(Source(**source) for source in value.pop("sources"))
        pictures = tuple(Picture(p["name"], p["mime_type"], base64.b64decode(p["data"])) for p in value.pop("pictures"))
        return Report(sources=sources, pictures=pictures, **value)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"this JSON is not a research report: {error}") from error


def save(report: Report, folder: Path, formats: Collection[str] = ("md", "html", "json")) -> list[Path]:
    """Writes report.md, report.html and report.json as asked for and the pictures; makes the folder.

    Each file appears whole or not at all. Returns the paths, pictures last.

    Raises:
        ValueError: an unknown format. Nothing is written.
    """
    renderers = {"md": to_markdown, "html": to_html, "json": to_json}
    if unknown := set(formats) - set(renderers):
        raise ValueError(f"unknown report format {', '.join(sorted(unknown))}: use {', '.join(renderers)}")
    files = {f"report.{name}": render(report).encode() for name, render in renderers.items() if name in formats}
    # Only the last part of a name: a report that was read from a file must not write elsewhere.
    files |= {Path(picture.name).name: picture.data for picture in report.pictures}
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        _write(folder / name, data)
    return [folder / name for name in files]


# Reading the resource


@dataclass(frozen=True)
class _Citation:
    """One annotation; `start` and `end` count characters of the whole text, None if they are unusable."""

    title: str
    url: str
    start: int | None
    end: int | None


def _answer(resource: Mapping[str, Any]) -> list[list[Mapping[str, Any]]]:
    """The content of the last run of model_output steps; of the run before it too if it has no text."""
    run: list[list[Mapping[str, Any]]] = []
    has_text = False
    for step in reversed(_mappings(resource.get("steps"))):
        if step.get("type") == "model_output":
            run.append(_mappings(step.get("content")))
            has_text = has_text or any(part.get("text") for part in run[-1])
        elif has_text or step.get("type") == "user_input":
            break
    return run[::-1]


def _assemble(
    steps: Sequence[Sequence[Mapping[str, Any]]],
) -> tuple[str, list[_Citation], tuple[Picture, ...]]:
    """One text with marks for the pictures, and the citations with their places in it.

    Text parts of one step are one text that the server cut; steps and pictures are paragraphs of their own.
    """
    text, figures = "", 0
    citations: list[_Citation] = []
    pictures: list[Picture] = []
    for step in steps:
        new_paragraph = True
        for part in step:
            if part.get("type") == "image":
                figures += 1
                mark, picture = _read_picture(part, f"figure-{figures}")
                text = _end_paragraph(text) + mark
                pictures += [picture] if picture else []
                new_paragraph = True
            elif isinstance(part.get("text"), str) and part["text"]:
                text = _end_paragraph(text) if new_paragraph else text
                citations += _read_citations(part, len(text))
                text += _text(part["text"])
                new_paragraph = False
    return text, citations, tuple(pictures)


def _end_paragraph(text: str) -> str:
    if not text or text.endswith("\n\n"):
        return text
    return text + ("\n" if text.endswith("\n") else "\n\n")


def _read_picture(part: Mapping[str, Any], name: str) -> tuple[str, Picture | None]:
    """The mark that stands for a picture in the text, and the picture if its data is there."""
    mime_type = str(part.get("mime_type") or "image/png").lower()
    if not re.fullmatch(r"image/[a-z0-9.+-]+", mime_type):
        mime_type = "image/png"
    extension = {"jpeg": "jpg", "svg+xml": "svg"}.get(mime_type[6:], mime_type[6:])
    try:
        data = base64.b64decode("".join(part["data"].split()), validate=True)
    except (KeyError, AttributeError, ValueError):
        uri = _text(part.get("uri"))
        return (f"[{name}]({_destination(uri)})" if _is_web(uri) else f"*{name} could not be read*"), None
    return _picture_mark(f"{name}.{extension}"), Picture(f"{name}.{extension}", mime_type, data)


def _picture_mark(name: str) -> str:
    return f"![{Path(name).stem}]({name})"


def _read_citations(part: Mapping[str, Any], base: int) -> Iterator[_Citation]:
    """The annotations of a text part that begins at character `base`. Offsets in them count UTF-8 bytes."""
    data = part["text"].encode("utf-8", "surrogatepass")
    for annotation in _mappings(part.get("annotations")):
        if annotation.get("type") == "url_citation":
            url, title = _text(annotation.get("url")).strip(), _text(annotation.get("title"))
        elif annotation.get("type") == "file_citation":
            url, title = _text(annotation.get("document_uri")).strip(), _text(annotation.get("file_name"))
        else:
            continue
        # The wire leaves out zeros.
        start, end = _index(data, annotation.get("start_index", 0)), _index(data, annotation.get("end_index"))
        title = " ".join(title.split()) or _split(url).hostname or url
        if title:
            if start is None or end is None or start > end:
                yield _Citation(title, url, None, None)
            else:
                yield _Citation(title, url, base + start, base + end)


def _index(data: bytes, offset: object) -> int | None:
    """The character at a byte offset: the next one if that is inside a character, the end if it is beyond."""
    if type(offset) is not int or offset < 0:
        return None
    while offset < len(data) and data[offset] & 0xC0 == 0x80:
        offset += 1
    return len(data[:offset].decode("utf-8", "surrogatepass"))


def _title(tokens: Sequence[Token]) -> str:
    """The first heading, else the first line cut at 80 characters, else "Research"."""
    lines = [
        (before.type == "heading_open", _plain(token).strip())
        for before, token in pairwise(tokens)
        if token.type == "inline"
    ]
    headings = [line for is_heading, line in lines if is_heading and line]
    if headings:
        return " ".join(headings[0].split())
    first = next((line for _, line in lines if line), "Research").split("\n")[0]
    return first if len(first) <= 80 else first[:79].rstrip() + "…"


def _plain(inline: Token) -> str:
    breaks = {"softbreak": "\n", "hardbreak": "\n"}
    shown = (breaks.get(c.type, c.content if c.type in ("text", "code_inline") else "") for c in inline.children or [])
    return re.sub(rf"[ \t]*{_NUMBERS}", "", "".join(shown))


def _text(value: object) -> str:
    """A string of the resource; lone surrogates, which no file can hold, are replaced one by one."""
    return re.sub("[\ud800-\udfff]", "\ufffd", value) if isinstance(value, str) else ""


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list | tuple) else []


# Placing the citations

_NUMBERS = r"\[(?:\d{1,3}(?:,[ ]?\d{1,3})*|cite:[ ]*\d+(?:,[ ]*\d+)*)\](?![(:])"
"""Citations that Deep Research writes into its text by itself: "[1]", "[1, 2]", "[cite: 1, 2]"."""
_NUMBERS_BEFORE = re.compile(rf"(?:[ \t]*{_NUMBERS})+\Z")
_NUMBERS_AFTER = re.compile(rf"[.,;:!?。]?(?P<numbers>(?:[ \t]*{_NUMBERS})+)")
_INDIVISIBLE = re.compile(
    r"(?<!`)(`+)(?!`)(?:(?!\n\n).)+?(?<!`)\1(?!`)"  # code
    r"|!?\[(?:[^\[\]\n]|\[[^\[\]\n]*\])*\]\([^()\n]*(?:\([^()\n]*\)[^()\n]*)*\)",  # a link or picture
    re.DOTALL,
)
_ANCHOR = re.compile(r"(?<!!)\[([^\[\]\n]*)\]\(#[^()\s]*\)")
_RULE = re.compile(r"[\s|:=*_-]+")
"""A line that gives a table, a heading or a page its shape."""


def _cite(text: str, citations: Sequence[_Citation], code: Sequence[tuple[int, int]]) -> tuple[str, tuple[Source, ...]]:
    """The text with its citations, and the sources, numbered as they first appear.

    Links to `#anchors` become plain text: `adk web` 2.13 leaves the conversation for them.
    """
    indivisible = [match.span() for match in _INDIVISIBLE.finditer(text)]
    spots = [_spot(text, citation, code, indivisible) for citation in citations]
    last = (len(text) + 1, 0)
    ordered = sorted(zip(spots, citations, strict=True), key=lambda pair: (pair[0] or last)[0])
    sources: dict[tuple[str, str], Source] = {}
    edits: list[tuple[int, int, set[int]]] = []
    for spot, citation in ordered:
        key = (_same_page(citation.url), "" if citation.url else citation.title)
        source = sources.setdefault(key, Source(len(sources) + 1, citation.title, citation.url))
        if spot is None:
            continue
        at, until = spot
        if edits and at <= edits[-1][1]:
            at, reached, numbers = edits.pop()
            edits.append((at, max(until, reached), numbers | {source.number}))
        else:
            edits.append((at, until, {source.number}))
    listed = tuple(sources.values())
    replacements = [_replacement(text, at, until, [listed[n - 1] for n in sorted(ns)]) for at, until, ns in edits]
    replacements += [
        (*match.span(), match[1])
        for match in _ANCHOR.finditer(text)
        if not any(start <= match.start() < end for start, end in code)
    ]
    pieces, position = [], 0
    for at, until, replacement in sorted(replacements):
        pieces += [text[position:at], replacement]
        position = until
    return "".join([*pieces, text[position:]]), listed


def _spot(
    text: str, citation: _Citation, code: Sequence[tuple[int, int]], indivisible: Sequence[tuple[int, int]]
) -> tuple[int, int] | None:
    """The mark goes in place of text[at:until], the numbers that the text has there itself. None: nowhere."""
    start, end = citation.start, citation.end
    if start is None or end is None or not text[start:end].strip():
        return None
    end = start + len(text[start:end].rstrip())
    while end < len(text) and (category(text[end])[0] == "M" or text[end] == text[end - 1] in "*_~"):
        end += 1  # neither between a letter and its accent nor between two asterisks
    if inside := [stop for begin, stop in indivisible if begin < end < stop]:
        at = until = inside[0]
    elif own := _NUMBERS_BEFORE.search(text, start, end):
        at, until = own.span()
    elif own := _NUMBERS_AFTER.match(text, end):
        at, until = own.span("numbers")
    else:
        row = text[text.rfind("\n", 0, end) + 1 : end].lstrip()
        if len(row) > 1 and row[0] == "|" == row[-1]:
            end = len(text[: end - 1].rstrip())  # what follows a table row's last bar is not shown
        at = until = end
    line_start = text.rfind("\n", 0, at) + 1
    line = text[line_start:].split("\n", 1)[0]
    if _RULE.fullmatch(line) or any(begin <= at <= stop for begin, stop in code):
        return None
    return at, until


def _code_blocks(text: str, tokens: Sequence[Token]) -> list[tuple[int, int]]:
    """First and last position of each block of code."""
    starts = [0, *(match.end() for match in re.finditer(r"\r\n?|\n", text)), len(text) + 1]
    maps = [token.map for token in tokens if token.type in ("fence", "code_block") and token.map]
    return [(starts[first], starts[min(last, len(starts) - 1)] - 1) for first, last in maps]


def _replacement(text: str, at: int, until: int, sources: Sequence[Source]) -> tuple[int, int, str]:
    marks = "".join(map(_mark, sources))
    if text[at - 1 : at] in ("!", "\\") and text[at - 2 : at - 1] != "\\":
        # "!" would make a picture of the link and a backslash would make it text.
        return at - 1, until, f"\\{text[at - 1]}{marks}"
    return at, until, marks


def _mark(source: Source) -> str:
    if not _is_web(source.url):
        return f"\\[{source.number}\\]"
    return f'[\\[{source.number}\\]]({_destination(source.url)} "{_escape(source.title)}")'


# Addresses and escaping


def _is_web(url: str) -> bool:
    return re.match(r"https?://[^\s/?#]", url, re.IGNORECASE) is not None


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # e.g. "http://["
        return urlsplit("")


def _same_page(url: str) -> str:
    """A key equal for all addresses of one page: a fragment is a place in it, unless it is a route."""
    parts = _split(url)
    if not _is_web(url) or not parts.netloc:
        return url
    fragment = parts.fragment if parts.fragment.startswith(("!", "/")) else ""
    return parts._replace(netloc=parts.netloc.lower(), path=parts.path or "/", fragment=fragment).geturl()


def _destination(url: str) -> str:
    """An address as it may stand in a Markdown link, also within a table."""
    return re.sub(r'[\s<>()"\\`|^{}\x00-\x1f\x7f]', lambda match: quote(match[0]), url)


def _escape(text: str) -> str:
    """Text that means itself in Markdown, also within a link, its title or a table."""
    return re.sub(r'([\\`*_\[\]<>|"~]|&(?=#?\w+;))', r"\\\1", text)


def source_line(source: Source) -> str:
    if _is_web(source.url):
        return f"[{_escape(source.title)}]({_destination(source.url)})"
    names = dict.fromkeys(filter(None, (source.title, source.url)))
    return _escape(" ".join(" — ".join(names).split()))


# The page


def _source_html(source: Source) -> str:
    title, url = html.escape(source.title), html.escape(source.url)
    if _is_web(source.url):
        return f'<a href="{url}">{title}</a>'
    return " — ".join(dict.fromkeys(filter(None, (title, url))))


def _raise_citations(tokens: Sequence[Token]) -> None:
    """Marks the links "[1]" with the class that shows them raised."""
    for token in tokens:
        children = token.children or []
        for link, label in pairwise(children):
            if link.type == "link_open" and re.fullmatch(r"\[\d+\]", label.content):
                link.attrSet("class", "citation")


def _render_image(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    """The report's own pictures; any other is a link, because the page loads nothing."""
    source, name = str(tokens[index].attrGet("src") or ""), html.escape(tokens[index].content)
    if source in env["images"]:
        return f'<img src="{html.escape(env["images"][source])}" alt="{name}">'
    return f'<a href="{html.escape(source)}">{name or html.escape(source)}</a>'


def _render_text(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    """Text, with the one tag that reports use: there is no other line break within a table."""
    return re.sub(r"&lt;br ?/?&gt;", "<br>", html.escape(tokens[index].content))


def _sanitize(body: str) -> str:
    def keep(tag: str, attribute: str, value: str) -> str | None:
        if attribute == "href":
            return value if _is_web(value) else None
        if attribute == "src":
            return value if value.startswith("data:image/") else None
        return value

    return nh3.clean(
        body,
        attributes={
            "a": {"href", "title", "class"},
            "img": {"src", "alt"},
            "ol": {"start"},
            "th": {"style"},
            "td": {"style"},
        },
        attribute_filter=keep,
        filter_style_properties={"text-align"},
        url_schemes={"http", "https", "data"},
        set_tag_attribute_values={"a": {"target": "_blank"}},
        link_rel="noopener noreferrer",
    )


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{token_hex(4)}.part")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
_MARKDOWN.add_render_rule("image", _render_image)
_MARKDOWN.add_render_rule("text", _render_text)

_PAGE = Template("""<!doctype html>
<html>
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<style>
:root { --ink: #1c1b19; --paper: #fdfcfa; --soft: #6b6862; --line: #dedad2; --link: #1a4f8b; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e3dd; --paper: #191817; --soft: #9b978f; --line: #3a3835; --link: #8ab8ee; }
}
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 1.0625rem/1.65 Charter, "Iowan Old Style", Georgia, "Noto Serif", serif; }
main { max-width: 42rem; margin: 0 auto; padding: 3rem 1.25rem 4rem; overflow-wrap: break-word; }
h1, h2, h3, h4 { line-height: 1.25; margin: 2em 0 0.6em; text-wrap: balance; }
h1 { font-size: 2rem; margin-top: 0; }
h2 { font-size: 1.4rem; }
h3 { font-size: 1.15rem; }
a { color: var(--link); text-underline-offset: 0.15em; }
a.citation { font-size: 0.72em; vertical-align: super; line-height: 0; text-decoration: none; }
img { display: block; max-width: 100%; height: auto; margin: 2rem auto; }
table { display: block; overflow-x: auto; border-collapse: collapse; font-size: 0.92em; margin: 1.5em 0; }
th, td { padding: 0.4em 0.8em; border-bottom: 1px solid var(--line); text-align: start; vertical-align: top; }
code, pre { font: 0.88em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
pre { overflow-x: auto; padding: 0.9em 1.1em; border: 1px solid var(--line); border-radius: 6px; }
blockquote { margin: 1.5em 0; padding-inline-start: 1.1em; border-inline-start: 3px solid var(--line); }
hr { border: 0; border-top: 1px solid var(--line); margin: 2.5em 0; }
footer { margin-top: 4rem; padding-top: 1rem; border-top: 1px solid var(--line);
  color: var(--soft); font-size: 0.82rem; }
@media print {
  :root { --ink: #000; --paper: #fff; --soft: #555; --line: #bbb; --link: #000; }
  main { max-width: none; padding: 0; }
  h1, h2, h3, h4 { break-after: avoid; }
  img, tr, pre { break-inside: avoid; }
}
</style>
</head>
<body>
<main dir="auto">
$body
</main>
</body>
</html>
""")
