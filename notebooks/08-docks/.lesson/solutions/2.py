far.KNOWN.write_text(far.key_of(22) + "\n")
