"""The model in a process of its own: configuration, worker, messages, the server's end of it."""
