"""Videos made offline from a portrait and a voice."""
