-- The key of an encrypted array, sealed with the operator's key; empty for none.
ALTER TABLE assets ADD COLUMN sealed_key BLOB NOT NULL DEFAULT x'';
