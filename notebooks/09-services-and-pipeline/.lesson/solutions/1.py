Path("/shared/docs/hello.txt").write_text("Hello from the notebook\n")
address = os.environ["REPORT_URL"]
answer = get(f"{address}/hello.txt")
