"""The ``lite`` engine: a portrait warped by an explicit face mesh, in real time on one CPU core."""
