Path("better").mkdir(exist_ok=True)
Path("better/Dockerfile").write_text("""FROM app
ENV HOST=0.0.0.0
USER nobody
""")
build("better", "better")
