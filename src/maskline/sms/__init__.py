"""Texts: taken from carriers, kept until they are delivered, given to carriers."""
