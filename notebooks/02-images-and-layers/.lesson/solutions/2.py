docker("run", "--name", "mine", "tiny", "sh", "-c", "echo ada > /name")
docker("cp", "mine:/name", "name.txt")
