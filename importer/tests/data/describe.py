#!/usr/bin/env python3
"""Describes a SQLite database as the table descriptions of a bundle: describe.py webui.db > tables.json

The golden texts beside it are derived from such descriptions, so that tests of the mapping need no bundle.
"""
import json
import sqlite3
import sys


def columns(db, table):
    for _, name, declared, not_null, default, _, hidden in db.execute(f"PRAGMA table_xinfo({quoted(table)})"):
        if hidden != 1:
            yield {"name": name, "type": "any", "pannier": {
                "declared_type": declared, "not_null": bool(not_null), "found": found(db, table, name)}}


def found(db, table, column):
    c, t = quoted(column), quoted(table)
    row = db.execute(
        f"SELECT sum(typeof({c})='null'), sum(typeof({c})='integer'), sum(typeof({c})='real'), sum(typeof({c})='text'),"
        f" sum(typeof({c})='blob'), max(CASE WHEN typeof({c}) IN ('text','blob') THEN length(CAST({c} AS BLOB)) END),"
        f" min(CASE WHEN typeof({c})='integer' THEN {c} END), max(CASE WHEN typeof({c})='integer' THEN {c} END) FROM {t}"
    ).fetchone()
    nulls, integers, reals, texts, blobs, longest, smallest, largest = row
    result = {"nulls": nulls or 0, "booleans": 0, "integers": integers or 0, "reals": reals or 0, "texts": texts or 0,
              "blobs": blobs or 0, "invalid_texts": 0, "longest_bytes": longest or 0}
    if smallest is not None:
        result |= {"smallest": smallest, "largest": largest}
    return result


def describe(db, table):
    info = list(db.execute(f"PRAGMA table_info({quoted(table)})"))
    primary = [row[1] for row in sorted((row for row in info if row[5]), key=lambda row: row[5])]
    foreign = {}
    for number, _, other, own, theirs, *_ in db.execute(f"PRAGMA foreign_key_list({quoted(table)})"):
        entry = foreign.setdefault(number, {"fields": [], "reference": {"resource": other, "fields": []}})
        entry["fields"].append(own)
        entry["reference"]["fields"].extend([theirs] if theirs else [])
    unique, indexes = [], []
    for _, name, is_unique, origin, partial in sorted(db.execute(f"PRAGMA index_list({quoted(table)})"), key=lambda r: r[1]):
        keys = [r for r in db.execute(f"PRAGMA index_xinfo({quoted(name)})") if r[5]]
        names = [r[2] for r in keys]
        odd = bool(partial) or any(r[3] or r[4] != "BINARY" or r[2] is None for r in keys)
        if origin == "pk":
            continue
        if is_unique and not odd:
            unique.append(names)
        if origin == "c":
            sql = db.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone()[0]
            indexes.append({"name": name, "unique": bool(is_unique), "columns": names, "partial": odd, "sql": sql})
    rows = db.execute(f"SELECT count(*) FROM {quoted(table)}").fetchone()[0]
    return {"name": table, "path": [], "format": "parquet", "mediatype": "application/vnd.apache.parquet", "bytes": 0,
            "schema": {"fields": list(columns(db, table)), "primaryKey": primary, "foreignKeys": list(foreign.values())},
            "pannier": {"kind": "internal" if table.startswith("sqlite_") else "table", "rows": rows, "digest": "",
                        "unique": unique, "indexes": indexes}}


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def main():
    db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro&immutable=1", uri=True)
    names = sorted(row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'"))
    print("[\n" + ",\n".join(json.dumps(describe(db, name), separators=(",", ":")) for name in names) + "\n]")


main()
