-- Which region's server stores an asset, where several servers with storage of their own share the database.
ALTER TABLE assets ADD COLUMN region TEXT NOT NULL DEFAULT '';
