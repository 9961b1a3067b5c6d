from setuptools import setup

setup(name="seasons", version="1.2", py_modules=["seasons"])
