from setuptools import find_packages, setup

# What a static reader of this file cannot see.
WANTED = {"humanize": "4.12.3", "tabulate": "0.9.0"}
requirements = [f"{name}=={number}" for name, number in WANTED.items()]

setup(
    name="sizes", version="0.3", packages=find_packages("src"), package_dir={"": "src"}, install_requires=requirements
)
