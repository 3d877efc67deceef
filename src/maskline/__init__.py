"""Maskline: a self-hosted server for proxy phone sessions."""

__version__ = "0.1.0"
