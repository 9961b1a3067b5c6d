order = ["database", "tables", "answers", "page"]
ended = "tables"
