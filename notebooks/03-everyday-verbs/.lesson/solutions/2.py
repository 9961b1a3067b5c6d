docker("exec", "tide", "sh", "-c", "echo seen > /note")
code = json.loads(docker("inspect", "odd"))[0]["State"]["ExitCode"]
