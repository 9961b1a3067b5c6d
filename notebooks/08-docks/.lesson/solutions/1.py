import shutil

shutil.copy(f"{far.KEY}.pub", far.DESK / "authorized_keys")
