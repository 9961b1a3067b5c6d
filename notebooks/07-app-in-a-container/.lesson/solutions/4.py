table = """
[tool.workbench.services.demo]
web = { port = 7860, title = "Demo" }
"""
