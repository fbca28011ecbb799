"""Sending mails: the port, and a backend per kind of server."""
