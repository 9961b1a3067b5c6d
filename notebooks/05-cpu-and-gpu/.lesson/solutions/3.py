tables = """
[tool.workbench.cpu]
packages = ["tensorflow-cpu==2.20.0"]

[tool.workbench.gpu]
packages = ["tensorflow[and-cuda]==2.20.0"]
"""
