"""Everything the server can be told, typed once."""
