"""Texts become speech: sentence by sentence, by the embedded voice or a service."""
