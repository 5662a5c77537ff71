"""The layout of PDFs, in the language of Typst, and the style sheet of EPUBs."""

from __future__ import annotations

TYPST_TEMPLATE = r"""
#let facts = sys.inputs
#let direction = if facts.dir == "rtl" { rtl } else { ltr }
#let start() = if text.dir == rtl { right } else { left }
#let soft = luma(38%)

#set document(title: facts.title, author: facts.author)
#set page(
  paper: "a4",
  margin: (x: 2.6cm, top: 2.5cm, bottom: 2.7cm),
  footer: context align(center, text(8.5pt, fill: soft, dir: ltr)[
    #counter(page).display() / #counter(page).final().first()
  ]),
)
#set text(
  size: 10.5pt,
  top-edge: 0.7em, // the same for all fonts, so that letters of two scripts stand on one line of a table
  lang: facts.lang,
  script: if facts.script == "" { auto } else { facts.script },
  dir: direction,
  font: json(bytes(facts.fonts)),
)
#set par(leading: 0.72em, spacing: 1.15em, justify: facts.lang in ("ja", "zh"))
#set smartquote(enabled: false)
#set list(spacing: 0.8em, indent: 0.5em)
#set enum(spacing: 0.8em, indent: 0.5em)
#set figure(numbering: none, supplement: none, gap: 0.9em)
#set table(inset: (x: 5pt, y: 5pt), stroke: (x, y) => (bottom: 0.4pt + luma(80%)))
#set table.hline(stroke: 0.8pt + luma(30%))

#show title: set text(20pt)
#show title: set par(leading: 0.5em, justify: false)
#show heading: set text(hyphenate: false)
#show heading: set block(above: 1.7em, below: 0.9em)
#show heading.where(level: 1): set text(15pt)
#show heading.where(level: 2): set text(12.5pt)
#show heading.where(level: 3): set text(11pt)
#show link: set text(fill: rgb("#1a4f8b"))
#show figure: set block(above: 1.6em, below: 1.6em)
#show figure.where(kind: table): set block(breakable: true)
#show figure.caption: it => text(9pt, fill: soft, it.body)
#show table: set text(size: 0.9em, hyphenate: true)
#show table: set par(leading: 0.6em, justify: false)
#show table.cell.where(y: 0): set text(weight: "bold")
#show image: it => context if it.height == auto and measure(it, width: 15.8cm).height > 14cm {
  image(it.source, height: 14cm, alt: it.alt) // a tall picture leaves room for text
} else { it }
#show raw: set text(font: "DejaVu Sans Mono", size: 1em, dir: ltr, lang: "en")
#show raw.where(block: true): it => block(
  fill: luma(96%), radius: 3pt, inset: 9pt, width: 100%, align(left, it),
)
#show quote.where(block: true): it => context {
  let side(value) = if start() == right { (right: value) } else { (left: value) }
  block(inset: side(12pt), stroke: side(1.5pt + luma(80%)), text(fill: soft, it.body))
}
#let horizontalrule = line(length: 100%, stroke: 0.4pt + luma(75%))
// Words that are too long for a line or a cell may break anywhere. An empty box adds no character to the text.
#let break_words(body, length: 0) = {
  show regex("[!-~]{" + str(length) + ",}"): it => it.text.clusters().join(box(width: 0pt))
  body
}
#show: break_words.with(length: 60)
#show table: break_words.with(length: 24)
#show raw.where(block: false): break_words.with(length: 24)
#show raw.where(block: true): break_words.with(length: 70)

#{
  set text(dir: if facts.title_dir == "rtl" { rtl } else { ltr })
  title()
  v(-0.4em)
  context align(start(), text(9pt, fill: soft, dir: ltr, facts.about.split("\n").join(linebreak())))
  v(1.2em)
}

"""
"""The beginning of a PDF's source (https://typst.app/docs/reference/).

The facts (`sys.inputs`) are plain text, so they need no escapes.
"""

EPUB_STYLE = """
h1 { margin-top: 1.5em; }
h1, h2, h3, h4, h5, h6 { text-align: start; }
ol, ul, blockquote { margin-left: 0; margin-inline-start: 1.7em; }
nav a { unicode-bidi: plaintext; }
figure { margin: 1.5em 0; text-align: center; page-break-inside: avoid; }
figcaption { font-size: 0.85em; }
table { border-collapse: collapse; margin: 1.2em 0; font-size: 0.85em; }
th, td { padding: 0.3em 0.5em; border-bottom: 1px solid #ccc; vertical-align: top; text-align: start; }
pre { white-space: pre-wrap; direction: ltr; text-align: left; }
a, td, pre { overflow-wrap: anywhere; }
sup { line-height: 0; }
"""
"""Style of an EPUB, after Pandoc's own."""
