-- The part of an array that is shared, as JSON (package part); nothing for all of it.
ALTER TABLE shares ADD COLUMN part TEXT NOT NULL DEFAULT '';
