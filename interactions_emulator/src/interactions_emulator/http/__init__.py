"""The Interactions API over HTTP: the socket, the routes, requests and responses."""
