"""The database that holds what must survive a crash: engine, schema and migrations."""
