"""Packages are found by their folders; assets and checkpoints lie inside the installed package."""

from setuptools import find_namespace_packages, find_packages, setup

DATA = ("assets", "checkpoints")  # folders beside the package in a checkout

setup(
    packages=[
        *find_packages(include=["robustaudio", "robustaudio.*"]),
        *(f"robustaudio.{name}" for name in DATA),
        *(
            f"robustaudio.{name}.{below}"
            for name in DATA
            for below in find_namespace_packages(name, exclude=["*__pycache__*"])
        ),
    ],
    package_dir={f"robustaudio.{name}": name for name in DATA},
)
