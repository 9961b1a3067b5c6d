seen = {
    "another execution count": False,
    "another line of code": True,
    "another result that was printed": True,
    "another time at which a cell was run": False,
    "another word in the text": True,
}
