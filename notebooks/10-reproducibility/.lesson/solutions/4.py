line = f"FROM registry.example/menu:1.0@{first}"
