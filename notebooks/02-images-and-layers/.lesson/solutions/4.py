Path("survey/.dockerignore").write_text("""raw
*.key
""")
