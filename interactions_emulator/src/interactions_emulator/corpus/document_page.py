"""A document as a page of HTML, for the addresses that answers cite."""

from __future__ import annotations

import html
from collections.abc import Iterable

from interactions_emulator.corpus.table_series import Table


def to_page(title: str, origin: str, passages: Iterable[tuple[str, str]], drawable: Iterable[Table]) -> str:
    """Return a self-contained page without scripts. Each passage has its heading and its text."""
    name = html.escape(title)
    body, heading = [], ""
    for above, text in passages:
        if above != heading and above != title:
            body.append(f"<h2>{html.escape(above)}</h2>")
        heading = above
        body.append(f"<p>{html.escape(text)}</p>")
    for table in drawable:
        body.append(f"<h2>{html.escape(table.heading or 'Table')}</h2>\n<table>")
        body += [f"<tr><td>{'<td>'.join(map(html.escape, row))}" for row in (table.columns, *table.rows)]
        body.append("</table>")
    return (
        f'<!doctype html>\n<html>\n<head><meta charset="utf-8"><title>{name}</title>\n'
        "<style>body{max-width:46rem;margin:2rem auto;padding:0 1rem;font:1rem/1.6 system-ui,sans-serif;"
        "color:#222;background:#fff}small{color:#555}td{padding:.1rem 1rem .1rem 0}</style></head>\n"
        f"<body>\n<h1>{name}</h1>\n<p><small>The readable text of {html.escape(origin)}, from the emulator's "
        f"corpus.</small></p>\n{chr(10).join(body)}\n</body>\n</html>\n"
    )
