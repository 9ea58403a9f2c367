-- A little of what Open WebUI has, and every kind of value: frozen as bundles that later versions must still read.
CREATE TABLE user (id VARCHAR PRIMARY KEY, name VARCHAR, email VARCHAR, role VARCHAR, info JSON, created_at BIGINT, updated_at BIGINT);
CREATE TABLE auth (id VARCHAR PRIMARY KEY, email VARCHAR, password TEXT, active BOOLEAN);
CREATE TABLE chat (id VARCHAR PRIMARY KEY, user_id VARCHAR, title TEXT, chat JSON, meta JSON, created_at BIGINT, updated_at BIGINT);
CREATE TABLE tag (id VARCHAR, name VARCHAR, user_id VARCHAR, meta JSON, PRIMARY KEY (id, user_id));
CREATE TABLE file (id VARCHAR PRIMARY KEY, user_id VARCHAR, hash TEXT, filename TEXT, path TEXT, data JSON, meta JSON, created_at BIGINT, updated_at BIGINT);
CREATE TABLE message (id TEXT PRIMARY KEY, user_id TEXT REFERENCES user (id), channel_id TEXT, content TEXT, created_at BIGINT, updated_at BIGINT);
CREATE INDEX message_channel ON message (channel_id);
CREATE VIEW talkative AS SELECT user_id, count(*) AS messages FROM message GROUP BY user_id;

INSERT INTO user VALUES ('u1', 'Ada', 'ada@example.com', 'admin', '{"n":[NaN,1]}', 1700000000, 1700000001), ('u2', CAST(x'4200' AS TEXT), 'local@localhost', 'user', NULL, 1700000000, 1700000001);
-- The password of ada@example.com is "bench-pass".
INSERT INTO auth VALUES ('u1', 'ada@example.com', '$2b$10$pannierBenchSourceSaluueLzCaPIDRdMPW4C4GUCBrAz9Nv.mS.', 1), ('u2', 'local@localhost', '$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2g', 0);
INSERT INTO chat VALUES ('c1', 'u1', 'One', '{"b":1,"a":[18446744073709551617,-0.0,1e40],"":null}', '{"tags":["red","gone"]}', 1700000000, 1700000001), ('Odd/Id', 'u9', '', 'null', NULL, 1700000000123, NULL);
INSERT INTO tag VALUES ('red', 'Red', 'u1', NULL), ('red', 'red', 'u2', 'null'), ('', '', 'u1', '{}');
INSERT INTO file VALUES ('f1', 'u1', 'not of the bytes', 'hello.txt', '/app/backend/data/uploads/f1_hello.txt', NULL, '{"size":6}', 1700000000, 1700000001), ('f2', 'u1', NULL, 'gone.txt', '/app/backend/data/uploads/f2_gone.txt', NULL, NULL, 1700000000, 1700000001);
INSERT INTO message VALUES ('m1', 'u1', 'ch', 'hello', 1700000000123456789, 1700000000123456789), ('m2', 'u9', 'ch', NULL, -1, 0);
