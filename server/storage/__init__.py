"""What outlives a server: rows in SQLite or PostgreSQL, and files beside them."""
