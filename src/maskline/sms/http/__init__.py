"""Texts over HTTP: carriers that take a request for each text, and send one for each they have."""
