"""Calls of models: the port, chains of providers, and a backend per kind of server."""
