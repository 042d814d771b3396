"""Talking clips -> training shards, stage by stage."""
