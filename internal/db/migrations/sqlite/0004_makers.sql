-- maker is the server process that makes or deletes a row that is not live, where
-- several processes share the database; empty where there is only one.
ALTER TABLE assets ADD COLUMN maker TEXT NOT NULL DEFAULT '';
