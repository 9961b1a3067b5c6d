docker("run", "--rm", "--volume", "levels:/data", "tiny", "sh", "-c", "echo 3.1 > /data/today")
read = docker("run", "--rm", "--volume", "levels:/data", "tiny", "cat", "/data/today")
