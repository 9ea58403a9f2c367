#!/usr/bin/env python3
"""Makes a large Open WebUI 0.12.4 database with its uploads, to measure with.

    scripts/lib/bench-source.py SIZE_MIB OUT_DIR [--with-50mib-chat] [--seed N]

SIZE_MIB is the database and the uploads together; about a tenth of it is uploads. OUT_DIR gets webui.db, uploads/ and
truth.json (row counts, accounts, totals). The schema is that of tests/fixtures/openwebui-0.12.4.tar.zst. The same
arguments give the same rows and files. 50 users, whatever the size, all with the password bench-pass.
--with-50mib-chat adds one chat whose JSON is 50 MiB. Needs python3 (no packages) and zstd.

The text is cut at random out of a few MiB of made-up words, longer than the windows of the usual compressors, so that it
neither takes long to make nor compresses absurdly (zstd -3 of the database: about 1 : 5, as a chat holds its messages twice).
"""

import argparse
import json
import math
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import uuid

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FIXTURE = os.path.join(REPOSITORY, "tests", "fixtures", "openwebui-0.12.4.tar.zst")
MIB = 1 << 20
USERS = 50
PASSWORD = "bench-pass"
HASH = "$2b$10$pannierBenchSourceSaluueLzCaPIDRdMPW4C4GUCBrAz9Nv.mS."
SECONDS = 1_700_000_000
NANOSECONDS = 1_700_000_000_123_456_789
MODELS = ["llama3.2:latest", "gpt-4o", "hf.co/bartowski/Qwen2.5-7B-Instruct-GGUF:Q4_K_M"]
# What the indexes add to one row, measured: they are made at the end, and the size must be known before.
INDEX_BYTES = {"chat": 350, "chat_message": 310}


def fail(error, hint):
    sys.exit(f"error: {error}\nhint: {hint}")


def schema():
    """The DDL of the fixture, tables and indexes apart, and its migration revision."""
    if not shutil.which("zstd"):
        fail("zstd is not installed", "install zstd (apt-get install zstd)")
    with tempfile.TemporaryDirectory() as work:
        with subprocess.Popen(["zstd", "-dcq", FIXTURE], stdout=subprocess.PIPE) as unpacked:
            done = subprocess.run(["tar", "-x", "-C", work, "openwebui-0.12.4/webui.db"], stdin=unpacked.stdout)
        if done.returncode != 0:
            fail(f"cannot read {os.path.relpath(FIXTURE, REPOSITORY)}", "make it with tests/fixtures/make.py")
        database = sqlite3.connect(os.path.join(work, "openwebui-0.12.4", "webui.db"))
        rows = database.execute("SELECT type, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid").fetchall()
        revision = database.execute("SELECT version_num FROM alembic_version").fetchone()[0]
        database.close()
    return [sql for kind, sql in rows if kind == "table"], [sql for kind, sql in rows if kind == "index"], revision


class Source:
    def __init__(self, seed, size_mib):
        self.random = random.Random(seed)
        self.pool = self.words(min(16, max(2, size_mib // 4)) * MIB)
        self.users = [self.uuid() for _ in range(USERS)]
        self.tags = {}

    def uuid(self):
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def words(self, length):
        letters = "eeeetttaaaooinshrdlucmfwypvbgkjqxz"
        pick = self.random
        vocabulary = ["".join(pick.choices(letters, k=pick.randint(1, 11))) for _ in range(20_000)]
        vocabulary += ["naïve", "Größe", "мир", "世界", "こんにちは", "😀", "\"quoted\"", "it's", "\\", "`code`", "\n\n", "\n- ", "{", "}", "1.25", "0x1f"] * 60
        return " ".join(pick.choices(vocabulary, k=length // 7))

    def text(self, length):
        start = self.random.randrange(max(1, len(self.pool) - length))
        return self.pool[start : start + length]

    def log_uniform(self, low, high):
        return int(math.exp(self.random.uniform(math.log(low), math.log(high))))

    def chat(self, index, size, message_size=None):
        """One chat row and its chat_message rows; the JSON is about `size` bytes."""
        chat_id, user_id = self.uuid(), self.users[self.random.randrange(USERS)]
        model = MODELS[index % 3]
        created = SECONDS + index * 17
        messages, rows, left, parent = {}, [], size - 700, None
        while left > 0 or not messages:
            key = self.uuid()
            role = "assistant" if len(messages) % 2 else "user"
            content = self.text(max(1, min(left, message_size or self.log_uniform(80, 12_000))))
            one = {"id": key, "parentId": parent, "childrenIds": [], "role": role, "content": content, "timestamp": created + len(messages)}
            usage = None
            if role == "assistant":
                usage = {"prompt_tokens": len(content) // 3, "completion_tokens": len(content) // 4, "total_duration": self.random.getrandbits(40)}
                one |= {"model": model, "modelIdx": 0, "done": True, "usage": usage}
            if parent:
                messages[parent]["childrenIds"].append(key)
            messages[key] = one
            rows.append((f"{chat_id}-{key}", chat_id, user_id, role, parent, compact(content), "null", one.get("model"), "null", "[]", "null", 1, "null",
                         "null", compact(usage), one["timestamp"], created + 60, None, "null"))
            left -= len(content.encode()) + 330
            parent = key
        tags = self.chat_tags(user_id)
        body = {"id": "", "title": self.text(30), "models": [model], "params": {}, "history": {"messages": messages, "currentId": parent},
                "tags": [], "timestamp": created * 1000, "files": []}
        row = (chat_id, user_id, body["title"], created, created + 60, None, int(index % 9 == 0), compact(body), int(index % 13 == 0),
               compact({"tags": tags}), None, "null", None, created, parent, "{}", None)
        return row, rows

    def chat_tags(self, user_id):
        names = [f"Topic {self.random.randrange(40)}" for _ in range(self.random.randrange(4))]
        for name in names:
            self.tags[(name.replace(" ", "_").lower(), user_id)] = name
        return sorted({name.replace(" ", "_").lower() for name in names})

    def file(self, directory):
        """One upload and its row. Half of them compress, half of them do not."""
        size = self.log_uniform(1024, 4 * MIB)
        key, user_id = self.uuid(), self.users[self.random.randrange(USERS)]
        if self.random.random() < 0.5:
            name, kind, data = f"picture {size}.bin", "application/octet-stream", self.random.randbytes(size)
        else:
            name, kind, data = f"document {size}.txt", "text/plain", self.text(size).encode()
        with open(os.path.join(directory, f"{key}_{name}"), "wb") as out:
            out.write(data)
        meta = {"name": name, "content_type": kind, "size": len(data), "data": {}}
        content = {"status": "completed", "content": data[:2000].decode("utf-8", "ignore") if kind == "text/plain" else ""}
        row = (key, user_id, name, compact(meta), SECONDS, None, compact(content), SECONDS, f"/app/backend/data/uploads/{key}_{name}")
        return row, len(data)


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


CHAT = "id user_id title created_at updated_at share_id archived chat pinned meta folder_id tasks summary last_read_at current_message_id variables timer_at"
CHAT_MESSAGE = ("id chat_id user_id role parent_id content output model_id files sources embeds done status_history error usage created_at "
                "updated_at context_summary meta")
FILE = "id user_id filename meta created_at hash data updated_at path"


def insert(database, table, columns, rows):
    names = columns.split()
    quoted = ", ".join(f'"{name}"' for name in names)
    database.executemany(f'INSERT INTO "{table}" ({quoted}) VALUES ({", ".join("?" * len(names))})', rows)


def small_tables(source, database):
    """Everything whose size does not grow with SIZE_MIB."""
    people = list(enumerate(source.users))
    insert(database, "user", "id name email role profile_image_url last_active_at updated_at created_at oauth info settings scim variables",
           [(u, f"User {i}", f"user{i}@example.com", "user" if i else "admin", "/user.png", SECONDS, SECONDS, SECONDS + i, "null", "null",
             '{"ui":{"theme":"dark"}}', "null", None) for i, u in people])
    insert(database, "auth", "id email password active mfa", [(u, f"user{i}@example.com", HASH, 1, "null") for i, u in people])
    insert(database, "model", "id user_id name params meta updated_at created_at is_active",
           [(m, source.users[0], m, "{}", "{}", SECONDS, SECONDS, 1) for m in MODELS])
    channels = [source.uuid() for _ in range(4)]
    insert(database, "channel", "id user_id name data meta created_at updated_at",
           [(c, source.users[0], f"channel-{i}", "null", "null", NANOSECONDS + i, NANOSECONDS + i) for i, c in enumerate(channels)])
    insert(database, "message", "id user_id channel_id content data meta created_at updated_at is_pinned",
           [(source.uuid(), source.users[i % USERS], channels[i % 4], source.text(120), "null", "{}", NANOSECONDS + i, NANOSECONDS + i, 0) for i in range(1000)])
    insert(database, "config", "key value updated_at", [(f"bench.{i}", str(i), SECONDS) for i in range(100)])
    insert(database, "memory", "id user_id content updated_at created_at type",
           [(source.uuid(), source.users[i % USERS], source.text(80), SECONDS, SECONDS, "user") for i in range(200)])


def fill(source, database, target_bytes, with_large_chat):
    small_tables(source, database)
    counts = {"chat": 0, "chat_message": 0}

    def add(index, size, message_size=None):
        row, rows = source.chat(index, size, message_size)
        insert(database, "chat", CHAT, [row])
        insert(database, "chat_message", CHAT_MESSAGE, rows)
        counts["chat"] += 1
        counts["chat_message"] += len(rows)

    page = database.execute("PRAGMA page_size").fetchone()[0]
    if with_large_chat:
        add(0, 50 * MIB, MIB)
    while True:
        size = database.execute("PRAGMA page_count").fetchone()[0] * page
        size += sum(counts[table] * extra for table, extra in INDEX_BYTES.items())
        if size >= target_bytes:
            break
        for _ in range(1 if target_bytes - size < 4 * MIB else 20):
            add(counts["chat"], source.log_uniform(1024, 200 * 1024))
    insert(database, "tag", "id user_id name meta", [(i, u, name, None) for (i, u), name in sorted(source.tags.items())])


def main():
    parser = argparse.ArgumentParser(usage="bench-source.py SIZE_MIB OUT_DIR [--with-50mib-chat] [--seed N]")
    parser.add_argument("size_mib", type=int)
    parser.add_argument("out_dir")
    parser.add_argument("--with-50mib-chat", action="store_true", dest="large_chat")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    least = 120 if arguments.large_chat else 2
    if arguments.size_mib < least:
        fail(f"{arguments.size_mib} MiB is too small", f"ask for {least} MiB or more")
    final = os.path.join(arguments.out_dir, "webui.db")
    uploads = os.path.join(arguments.out_dir, "uploads")
    if os.path.exists(final) or os.path.exists(uploads):
        fail(f"{arguments.out_dir} already holds a source", "remove it, or name another directory")
    os.makedirs(uploads)
    partial = final + ".partial"

    tables, indexes, revision = schema()
    source = Source(arguments.seed, arguments.size_mib)
    database = sqlite3.connect(partial, isolation_level=None)
    database.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536; BEGIN;")
    for sql in tables:
        database.execute(sql)
    database.execute("INSERT INTO alembic_version VALUES (?)", [revision])
    fill(source, database, arguments.size_mib * MIB * 9 // 10, arguments.large_chat)
    upload_bytes, files = 0, []
    while upload_bytes < arguments.size_mib * MIB // 10:
        row, size = source.file(uploads)
        files.append(row)
        upload_bytes += size
    insert(database, "file", FILE, files)
    for sql in indexes:
        database.execute(sql)
    database.execute("COMMIT")
    database.execute("PRAGMA journal_mode = WAL")  # as the application leaves it

    names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()]
    counts = {name: database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}
    database.close()
    os.replace(partial, final)
    truth = {"application": "Open WebUI", "version": "0.12.4", "seed": arguments.seed, "row_counts": counts, "total_rows": sum(counts.values()),
             "database_bytes": os.path.getsize(final), "uploads": len(files), "uploads_bytes": upload_bytes,
             "accounts": [{"email": f"user{i}@example.com", "password": PASSWORD, "hash": "bcrypt"} for i in range(USERS)]}
    with open(os.path.join(arguments.out_dir, "truth.json"), "w", encoding="utf-8") as out:
        out.write(json.dumps(truth, ensure_ascii=False, indent=1) + "\n")
    print(f"{truth['database_bytes'] / MIB:.1f} MiB database, {truth['total_rows']} rows ({counts['chat']} chats, {counts['chat_message']} messages), "
          f"{len(files)} uploads of {upload_bytes / MIB:.1f} MiB")


main()
