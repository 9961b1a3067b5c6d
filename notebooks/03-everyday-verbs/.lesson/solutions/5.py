docker("container", "prune", "--force")
docker("image", "prune", "--force")
