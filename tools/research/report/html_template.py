"""The web page around a report: its layout and its style sheet."""

from __future__ import annotations

from string import Template

HTML_PAGE = Template("""<!doctype html>
<html>
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<style>
:root { --ink: #1c1b19; --paper: #fdfcfa; --soft: #6b6862; --line: #dedad2; --tint: #f3f0ea; --link: #1a4f8b; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e3dd; --paper: #191817; --soft: #a09c94; --line: #3a3835; --tint: #242220; --link: #8ab8ee; }
}
body { margin: 0; background: var(--paper); color: var(--ink); text-wrap: pretty;
  font: 1.0625rem/1.65 Charter, "Iowan Old Style", Georgia, "Noto Serif", serif; }
main { max-width: 42rem; margin: 0 auto; padding: 3rem 1.25rem 4rem; overflow-wrap: break-word; }
h1, h2, h3, h4 { line-height: 1.25; margin: 2em 0 0.6em; text-wrap: balance; }
h1 { font-size: clamp(1.6rem, 5vw, 2rem); margin-top: 0; }
h2 { font-size: 1.4rem; }
h3 { font-size: 1.15rem; }
a { color: var(--link); text-decoration-thickness: 1px; text-underline-offset: 0.18em; }
a.citation { font-size: 0.72em; vertical-align: super; line-height: 0; text-decoration: none; }
a.citation:hover { text-decoration: underline; }
a.citation::before { content: "\\2060"; } /* a mark never begins a line */
ul, ol { padding-inline-start: 1.6em; }
li { margin: 0.3em 0; }
li::marker { color: var(--soft); }
ol:has(+ footer), ol:has(+ h2 + p + table) { font-size: 0.92em; } /* the sources */
img { display: block; max-width: 100%; height: auto; margin: 2rem auto; border-radius: 6px;
  background: #fff; outline: 1px solid var(--line); }
table { display: block; overflow-x: auto; border-collapse: collapse; margin: 1.5em 0;
  font-size: 0.9em; line-height: 1.45; font-variant-numeric: lining-nums tabular-nums; }
th, td { padding: 0.5em 0.8em; border-bottom: 1px solid var(--line); text-align: start; vertical-align: top; }
th { border-bottom: 2px solid var(--soft); vertical-align: bottom; }
th:first-child, td:first-child { padding-inline-start: 0; }
code, pre { font: 0.88em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
code { padding: 0.1em 0.3em; border-radius: 4px; background: var(--tint); }
pre { overflow-x: auto; padding: 0.9em 1.1em; border-radius: 6px; background: var(--tint); }
pre code { padding: 0; font-size: 1em; }
code { direction: ltr; unicode-bidi: isolate; }
pre:not(.plain) { direction: ltr; text-align: left; }
pre.plain { white-space: pre-wrap; }
blockquote { margin: 1.5em 0; padding-inline-start: 1.1em; border-inline-start: 3px solid var(--line);
  color: var(--soft); }
hr { border: 0; border-top: 1px solid var(--line); margin: 2.5em 0; }
footer { margin-top: 4rem; padding-top: 1rem; border-top: 1px solid var(--line);
  color: var(--soft); font-size: 0.82rem; }
@media print {
  :root { --ink: #000; --paper: #fff; --soft: #555; --line: #bbb; --tint: #f4f4f4; --link: #000; }
  ol:has(+ footer) a::after, ol:has(+ h2 + p + table) a::after { content: " " attr(href); color: var(--soft); }
  pre { white-space: pre-wrap; }
  main { max-width: none; padding: 0; }
  h1, h2, h3, h4 { break-after: avoid; }
  img, tr, pre { break-inside: avoid; }
}
</style>
</head>
<body>
<main dir="$direction">
$body
</main>
</body>
</html>
""")
