import subprocess


def diff(file):
    ran = subprocess.run(["git", "-C", "report", "diff", file], capture_output=True, text=True)
    return ran.stdout.splitlines()


noise = diff("harbour.ipynb")
signal = diff(".diffs/harbour.py")
print(len(noise), "lines and", len(signal), "lines")
