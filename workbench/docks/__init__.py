"""Docks: other machines whose engines are used from here, over ssh."""
