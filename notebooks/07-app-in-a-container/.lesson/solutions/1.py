import json

docker("rm", "--force", "app")
docker("run", "--detach", "--name", "app", "--publish", "8000:8000", "--env", "HOST=0.0.0.0", "app")
noon = json.loads(get("http://engine:8000/level?hour=12"))["level"]
