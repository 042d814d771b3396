"""Pictures and sound to packets: every session's media is encoded once, whoever watches it."""
