promises = {
    "these very bytes, or an error": "digest",
    "these versions of the Python packages, each checked by its hash": "lock",
    "a name that people can remember, and that may stand for something else tomorrow": "tag",
    "the system libraries under the Python packages, too": "digest",
    "what to install, for every platform that the project supports": "lock",
}
