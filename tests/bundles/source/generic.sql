-- Values and names of every kind, in no application's schema.
CREATE TABLE "odd name/.." (v, w INTEGER);
INSERT INTO "odd name/.." VALUES (NULL, NULL), (1, 'text in an integer column'), (1.5, 2), ('text', x'00ff'), (x'626c6f62', 9223372036854775807),
  (CAST(x'ff' AS TEXT), -9223372036854775808), (CAST(x'610062' AS TEXT), 0), ('', x''), (9e999, -0.0);
CREATE TABLE empty (id INTEGER PRIMARY KEY, t TEXT);
CREATE TABLE "parent" (a TEXT, b INTEGER, PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE TABLE child (id INTEGER PRIMARY KEY, a TEXT, b INTEGER, FOREIGN KEY (a, b) REFERENCES parent (a, b));
INSERT INTO parent VALUES ('a', 1), ('a', 2);
INSERT INTO child VALUES (1, 'a', 1), (2, 'a', 3), (3, NULL, NULL);
CREATE TRIGGER never AFTER DELETE ON child BEGIN SELECT 1; END;
