docker("run", "--detach", "--name", "small", "--memory", "64m", "tiny", "sleep", "1000")
