-- Lists are of namespaces, the newest first.
CREATE INDEX assets_space ON assets (namespace_id, created_at);
