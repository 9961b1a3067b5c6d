"""Water levels of a harbour, in metres."""
