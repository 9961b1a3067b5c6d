"""Machines of Amazon as docks, through boto3."""
