docker("run", "--detach", "--name", "oostende", "--publish", "8002:8000", "--env", "HARBOUR=Oostende", "better")
