"""HTTP and WebSocket: routes, schemas, access, problems."""
