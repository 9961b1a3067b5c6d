import subprocess

Path("results.json").write_text(json.dumps({**best, "data": data}, indent=1))
subprocess.run(["git", "add", "."], check=True)
subprocess.run(["git", "commit", "--quiet", "--allow-empty", "--message", "A first model"], check=True)
subprocess.run(["git", "tag", "--force", "first-model"], check=True)
