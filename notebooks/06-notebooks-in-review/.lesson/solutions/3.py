import subprocess

message = "Warn from 3.0 m on, as the harbour master asks"
subprocess.run(["git", "-C", "report", "add", "."], check=True)
subprocess.run(["git", "-C", "report", "commit", "-q", "-m", message], check=True)
