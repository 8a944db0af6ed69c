"""Data Docs: one page a table and an index, as Great Expectations renders them, that open without a network.

Great Expectations' own pages load styles, scripts and fonts from elsewhere. Its sections are kept, and put
into a page whose few styles are in the page itself.
"""

from __future__ import annotations

import hashlib
import html
import json
import os
from pathlib import Path

from features.account import Account, TableAccount, most_first
from features.contracts import rendered_sections
from features.definition import ForceDefinition

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; margin: 2rem auto; max-width: 72rem; padding: 0 1rem }
a { color: #0b5394 } h1 { font-size: 1.5rem } h5 { font-size: 1.15rem; margin: 1.2rem 0 .3rem } h6 { margin: .8rem 0 .2rem }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1rem } caption { text-align: left; padding: .3rem 0 }
th, td { border-bottom: 1px solid #ddd; padding: .3rem .5rem; text-align: left; vertical-align: top }
td.number { text-align: right; font-variant-numeric: tabular-nums }
.text-success::before, .fa-check-circle::before { content: "\\2713"; color: #1a7f37 }
.text-danger::before, .fa-times::before { content: "\\2717"; color: #b42318 }
.refused { border-left: 4px solid #b42318; padding: .2rem .8rem; white-space: pre-wrap; background: #fdf3f2 }
[data-toggle="collapse"], .collapse { display: none } /* they need scripts to open, and say nothing of the rows */
"""


def write_data_docs(force: ForceDefinition, account: Account, directory: Path) -> Path:
    """Writes the pages of an account into a directory; returns the index.

    Pages that tell this account already are left alone. Values of enclave tables are in no account, and so
    in no page.
    """
    index = directory / "index.html"
    told = _digest(account)
    if index.is_file() and told in index.read_text("utf-8"):
        return index
    for table in account.tables:
        says = force.tables_by_name[table.table].says
        _write(directory / f"{table.table}.html", _page(table.table, _table_body(table, says)))
    # The index comes last: where it is, the pages it leads to are.
    _write(index, _page(f"{force.title}: what was read", f"{_index_body(account)}<!-- {told} -->"))
    return index


def _digest(account: Account) -> str:
    return hashlib.blake2b(json.dumps(account.to_dict(), default=str).encode(), digest_size=16).hexdigest()


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, "utf-8")
    os.replace(partial, path)


def _page(title: str, body: str) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        # Whatever an extract may hold, a browser loads nothing for this page and runs nothing in it.
        """<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">"""
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><h1>{html.escape(title)}</h1>{body}</body></html>\n"
    )


def _index_body(account: Account) -> str:
    rows = "".join(_index_row(table) for table in account.tables)
    return (
        "<table><caption>"
        f"{account.read:,} rows read = {account.accepted:,} accepted + {account.quarantined:,} quarantined, "
        f"{account.not_joined:,} of them not joined to a person.</caption>"
        "<thead><tr><th>table</th><th>read</th><th>accepted</th><th>quarantined</th><th>not joined</th>"
        f"<th>rules broken, by rows</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def _index_row(table: TableAccount) -> str:
    counts = (table.read, table.accepted, table.quarantined, table.not_joined)
    numbers = "".join(f'<td class="number">{count:,}</td>' for count in counts)
    broken = ", ".join(f"{rule} ({rows:,})" for rule, rows in most_first(table.broken))
    link = f'<a href="{html.escape(table.table)}.html">{html.escape(table.table)}</a>'
    return f"<tr><td>{link}</td>{numbers}<td>{html.escape(broken)}</td></tr>"


def _table_body(table: TableAccount, says: str) -> str:
    refused = "".join(f'<p class="refused">{html.escape(reason)}</p>' for reason in table.refused)
    not_read = (
        f"<p>Columns of the source that are not declared, and were not read: {html.escape(', '.join(table.not_read))}.</p>"
        if table.not_read
        else ""
    )
    return (
        f'<p><a href="index.html">All tables</a></p><p>{html.escape(says)}</p>'
        f"<p>From {html.escape(table.origin)}: {table.read:,} rows read = {table.accepted:,} accepted "
        f"+ {table.quarantined:,} quarantined.</p>{not_read}{refused}"
        f"{_examples(table)}{rendered_sections(table.table, table.checks)}"
    )


def _examples(table: TableAccount) -> str:
    if not table.examples:
        return ""
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in cells) + "</tr>"
        for cells in ((one.rule, one.row, one.column, one.value) for one in table.examples)
    )
    return (
        "<table><caption>The first row that broke each rule</caption><thead><tr><th>rule</th>"
        f"<th>row of the source</th><th>column</th><th>found</th></tr></thead><tbody>{rows}</tbody></table>"
    )
