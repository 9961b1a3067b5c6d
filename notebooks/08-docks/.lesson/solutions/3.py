import subprocess

far.source_dock()
# Or: !docker run --detach --name worker tiny sleep 1000
subprocess.run(["docker", "run", "--detach", "--name", "worker", "tiny", "sleep", "1000"], check=True)
far.castoff()
