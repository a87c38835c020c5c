"""The database that holds what must survive a crash: engine, schema and migrations.

To add or change a table: write it in `schema.py`, write the step that leads there in `migrations/versions/` (copy the
newest file, count up `revision`, name the one before as `down_revision`), and run
`tests/storage/database/test_migrations.py`, which tells every difference. A released step is never edited.
"""
